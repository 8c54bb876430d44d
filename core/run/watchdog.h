/* SPDX-License-Identifier: MIT */
/* core/run/watchdog.h: a thread that looks whether a hook keeps its worker for too long.
 *
 * Made by lr_workers_start() where stall_threshold_ms is set, joined by lr_workers_join(). Four
 * times per threshold it reads each worker's hook word (core/run/hooks.h) and logs, once per call
 * that lasts longer than the threshold and while it lasts, `hook_stalled worker=N hook=on_data
 * ms>=M`. It touches nothing else of the workers. */
#ifndef LR_CORE_RUN_WATCHDOG_H
#define LR_CORE_RUN_WATCHDOG_H

#include <lockring/workers.h>

typedef struct lr__watchdog lr__watchdog;

/* LR_ENOMEM, LR_ESYSTEM. */
lr_status lr__watchdog_start(lr_workers *workers, uint32_t threshold_ms, lr__watchdog **out,
                             lr_error *err);
void lr__watchdog_end(lr__watchdog *watchdog); /* ends and joins it; null is allowed */

#endif
