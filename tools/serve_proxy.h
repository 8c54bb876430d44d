/* SPDX-License-Identifier: MIT */
/* tools/serve_proxy.h: --proxy-protocol of lockring-serve. */
#ifndef LR_TOOLS_SERVE_PROXY_H
#define LR_TOOLS_SERVE_PROXY_H

#include "proto/proxy.h"
#include "tools/serve_options.h"

/* The list of senders; null if there is none. One per process. */
lr_status serve_proxy_make(const serve_options *options, lr_proxy **out, lr_error *err);
/* Puts on_preface beside the server's handlers, in room, which lives until lr_server_new(). */
void serve_proxy_use(lr_server_options *server, lr_handlers *room);
void serve_proxy_free(lr_proxy *p);

#endif
