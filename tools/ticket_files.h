/* SPDX-License-Identifier: MIT */
/* tools/ticket_files.h: ticket keys from a file, or from all files of a directory. */
#ifndef LR_TOOLS_TICKET_FILES_H
#define LR_TOOLS_TICKET_FILES_H

#include <lockring/ticket_keys.h>

/* A new list, which the caller frees. Of a directory every regular file counts whose name does not
 * begin with a dot, in the order of their names, so that the first one has the current key; where
 * it has a ..data, as Kubernetes makes it, all of them are read from the one version that this
 * leads to. LR_EFILE; LR_EKEY: others than its owner may write one of them, or no keys; err names
 * the file. */
lr_status ticket_files_read(const char *path, bool is_haproxy, lr_ticket_keys **out, lr_error *err);

#endif
