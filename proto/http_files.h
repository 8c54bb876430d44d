/* SPDX-License-Identifier: MIT */
/* proto/http_files.h: files of a directory as answers to GET and HEAD.
 *
 * Nothing outside of the directory is ever opened: the path is resolved beneath it, symbolic links
 * included. "/dir" is redirected to "/dir/", "/dir/" is its index.html. Entity tags, dates and
 * single ranges are those of RFC 9110. A transfer holds one piece of the file (64 KB) beside what
 * the connection is sending, however slow the client is. A file that shrinks while it is sent
 * aborts the connection: the promised length cannot be kept. */
#ifndef LR_PROTO_HTTP_FILES_H
#define LR_PROTO_HTTP_FILES_H

#include "proto/http1.h"

/* Answers x, now or later, with the file that its path names. directory: an open descriptor, above
 * 0, that outlives the exchange. missing: answers where there is no such file, null: 404. The
 * exchange's user is taken until then. */
LR_WORKER void lr_http_files_answer(lr_http_exchange *x, int directory,
                                    void (*missing)(lr_http_exchange *x));

#endif
