/* SPDX-License-Identifier: MIT */
/* tools/access_log.h: one line per HTTP exchange, written by a thread of its own, so that no worker
 * waits for a disk.
 *
 *     2026-11-23T13:05:07.123Z conn=0.12.3 remote=127.0.0.1:50000 method=GET target="/" status=200
 *     in=0 out=42 us=180            (one line; conn as in the log: worker, slot, generation)
 *
 * Bytes of the peer's that could end a field or a line are written as \xNN. Lines wait in a bounded
 * queue; where the thread cannot follow they are dropped and the next line says how many. */
#ifndef LR_TOOLS_ACCESS_LOG_H
#define LR_TOOLS_ACCESS_LOG_H

#include "proto/http1.h"

#include <lockring/base.h>

typedef struct access_log access_log;

/* Appends to the file ("-": standard output; the name is borrowed until it is closed), which it
 * makes, and starts the thread. LR_EFILE,
 * LR_ESYSTEM, LR_ENOMEM with the file's name in err. */
lr_status access_log_open(const char *file, access_log **out, lr_error *err);
/* Any thread. wall_ms: now. */
void access_log_add(access_log *log, int64_t wall_ms, const lr_http_log_entry *entry);
/* Any thread: the file is opened again by its name, behind what waits, so that it may be rotated.
 * If it cannot be, the old one goes on. */
void access_log_reopen(access_log *log); /* null is allowed */
/* Writes what waits and ends the thread. Null is allowed. */
void access_log_close(access_log *log);

#endif
