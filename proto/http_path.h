/* SPDX-License-Identifier: MIT */
/* proto/http_path.h: the path of a request as the name of a file below a directory. */
#ifndef LR_PROTO_HTTP_PATH_H
#define LR_PROTO_HTTP_PATH_H

#include <lockring/base.h> /* lr_slice */

/* Makes of the path of a target ("/a/./b%20c/?q=1", lr_http_head.path) a relative one ("a/b c/"):
 * without query, escapes decoded once, empty and dot segments resolved (RFC 3986 5.2.4) after that,
 * so that "%2e%2e" is "..". It never begins with a slash and has no segment "." or ".."; "" is the
 * directory itself, and a slash at the end stays. Terminated by a zero within cap bytes, which *len
 * does not count. False, with nothing to use: no slash at the start, a malformed escape, an escaped
 * slash, zero, another control character, ".." above the directory, or too long.
 *
 * A backslash and bytes above 127 stay as they are. Symbolic links are for openat2() to judge. */
LR_ANY bool lr_http_path(lr_slice path, char *out, size_t cap, size_t *len);

#endif
