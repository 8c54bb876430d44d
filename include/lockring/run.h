/* SPDX-License-Identifier: MIT */
/* lockring/run.h: one call that makes workers, a context and a server, serves until SIGINT or
 * SIGTERM, drains, and frees it all. */
#ifndef LOCKRING_RUN_H
#define LOCKRING_RUN_H

#include <lockring/base.h>
#include <lockring/server.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lr_run_options {
    size_t size;           /* LR_RUN_OPTIONS */
    const char *host;      /* default: every address */
    uint16_t port;         /* 0: the kernel chooses */
    const char *cert_file; /* default, with key_file: a certificate made in memory */
    const char *key_file;
    const lr_handlers *handlers; /* required */
    uint32_t conn_user_size;
    uint32_t worker_count;                                 /* default: one per CPU */
    uint32_t drain_timeout_ms;                             /* default 10 s; LR_NONE: no deadline */
    void (*on_listening)(const char *address, void *user); /* once bound [none] */
    void *user; /* handed to on_listening, and lr_server_user() */
} lr_run_options;
#define LR_RUN_OPTIONS .size = sizeof(lr_run_options)

/* Returns when all has ended: LR_OK after a signal, or what failed at the start. A second signal
 * cuts what is left. The dispositions of SIGINT and SIGTERM are put back. LR_ESTATE: another
 * lr_run() is under way in this process. */
LR_API LR_SETUP LR_NODISCARD lr_status lr_run(const lr_run_options *options, lr_error *err);

#ifdef __cplusplus
}
#endif

#endif
