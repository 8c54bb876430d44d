/* SPDX-License-Identifier: MIT */
/* core/io/uring_refusal.h: why the system refuses io_uring, in one line with one advice. */
#ifndef LR_CORE_IO_URING_REFUSAL_H
#define LR_CORE_IO_URING_REFUSAL_H

#include <lockring/base.h>

/* What the diagnosis is made of; read from the running system, or given by a test. */
typedef struct lr__uring_facts {
    char release[32];    /* uname -r */
    int disabled;        /* kernel.io_uring_disabled, -1: no such setting (before 6.6) */
    long group;          /* kernel.io_uring_group, -1: none */
    int seccomp;         /* Seccomp: of /proc/self/status, 2: a filter, -1: unknown */
    uint64_t memlock_kb; /* RLIMIT_MEMLOCK, UINT64_MAX: unlimited */
    uint64_t nofile;     /* RLIMIT_NOFILE */
} lr__uring_facts;

void lr__uring_facts_read(lr__uring_facts *facts);

/* Fills err and returns LR_ERING. step: what was refused ("setup"), sys: its errno. */
lr_status lr__uring_refused(lr_error *err, const char *step, int sys);
lr_status lr__uring_explain(lr_error *err, const char *step, int sys, const lr__uring_facts *facts);

#endif
