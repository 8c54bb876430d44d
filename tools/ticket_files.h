/* SPDX-License-Identifier: MIT */
/* tools/ticket_files.h: ticket keys from a file, or from all files of a directory. */
#ifndef LR_TOOLS_TICKET_FILES_H
#define LR_TOOLS_TICKET_FILES_H

#include <lockring/ticket_keys.h>

/* What a file may be; of lines of base64 without roles only the reader can know the order. */
typedef enum ticket_file_kind {
    TICKET_FILE_RAW,   /* bytes that are no text */
    TICKET_FILE_ROLES, /* lockring's own text */
    TICKET_FILE_LINES  /* another text, or nothing */
} ticket_file_kind;

ticket_file_kind ticket_file_kind_of(lr_slice file);

/* A new list, which the caller frees. Of a directory every regular file counts whose name does not
 * begin with a dot, in the order of their names, so that the first one has the current key; where
 * it has a ..data, as Kubernetes makes it, all of them are read from the one version that this
 * leads to. LR_EFILE; LR_EKEY: others than its owner may write one of them, or no keys, or lines
 * without roles that are not said to be HAProxy's; err names the file. */
lr_status ticket_files_read(const char *path, bool is_haproxy, lr_ticket_keys **out, lr_error *err);

#endif
