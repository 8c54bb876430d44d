/* SPDX-License-Identifier: MIT */
/* tools/serve_context.h: the identity of lockring-serve, from its options and their files. */
#ifndef LR_TOOLS_SERVE_CONTEXT_H
#define LR_TOOLS_SERVE_CONTEXT_H

#include "tools/serve_options.h"

/* What clients get: without a name that is listed, and by name. */
typedef struct serve_identity {
    lr_context *context; /* a reference */
    lr_names *names;     /* null: none are listed */
} serve_identity;

/* err names the option or the file; *out is empty then. */
lr_status serve_identity_make(const serve_options *options, serve_identity *out, lr_error *err);
void serve_identity_drop(serve_identity *identity); /* an empty one is allowed */

#endif
