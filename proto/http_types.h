/* SPDX-License-Identifier: MIT */
/* proto/http_types.h: the content type of a file, by its name. */
#ifndef LR_PROTO_HTTP_TYPES_H
#define LR_PROTO_HTTP_TYPES_H

#include <lockring/base.h>

/* By what follows the last dot of the last segment, in any case; "application/octet-stream" where
 * that tells nothing. Static. */
LR_ANY const char *lr_http_type_of(const char *path);

#endif
