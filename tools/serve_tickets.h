/* SPDX-License-Identifier: MIT */
/* tools/serve_tickets.h: the ticket keys of lockring-serve that come from --ticket-keys: read at
 * the start, at SIGHUP, and when they change on disk. Keys that are wrong leave the old ones in
 * use. */
#ifndef LR_TOOLS_SERVE_TICKETS_H
#define LR_TOOLS_SERVE_TICKETS_H

#include "tools/serve_options.h"

typedef struct serve_tickets serve_tickets;

/* Reads the keys. Without --ticket-keys *out is null. err names the option and the file. */
lr_status serve_tickets_open(const serve_options *options, serve_tickets **out, lr_error *err);
uint32_t serve_tickets_count(serve_tickets *tickets);

/* Gives the workers the keys and begins to watch. */
lr_status serve_tickets_start(serve_tickets *tickets, lr_workers *workers, lr_error *err);

/* Reads the keys, and gives them to the workers if they are others. Null is allowed, and then
 * nothing is to be done. */
lr_status serve_tickets_refresh(serve_tickets *tickets, lr_error *err);

/* Before the workers are freed; null is allowed. */
void serve_tickets_close(serve_tickets *tickets);

#endif
