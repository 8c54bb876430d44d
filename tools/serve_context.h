/* SPDX-License-Identifier: MIT */
/* tools/serve_context.h: the identity of lockring-serve, from its options and their files. */
#ifndef LR_TOOLS_SERVE_CONTEXT_H
#define LR_TOOLS_SERVE_CONTEXT_H

#include "tools/serve_options.h"

/* err names the option or the file. The caller gets a reference. */
lr_status serve_context_make(const serve_options *options, lr_context **out, lr_error *err);

#endif
