/* SPDX-License-Identifier: MIT */
/* core/io/uring_refusal.c: EPERM alone tells nothing: a sysctl, a group or a seccomp filter may be
 * behind it, so the settings are read before one of them is named. */
#include "core/io/uring_refusal.h"

#include "core/base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

/* The number behind prefix at the start of some line of a file; missing: fallback. */
static long read_number(const char *path, const char *prefix, long fallback)
{
    FILE *file = fopen(path, "re");
    char line[256];

    if (!file)
        return fallback;
    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, prefix, strlen(prefix)) == 0) {
            fallback = strtol(line + strlen(prefix), NULL, 10);
            break;
        }
    }
    (void)fclose(file);
    return fallback;
}

void lr__uring_facts_read(lr__uring_facts *facts)
{
    struct utsname system;
    struct rlimit limit;

    *facts = (lr__uring_facts){.release = "?", .memlock_kb = UINT64_MAX, .nofile = UINT64_MAX};
    if (uname(&system) == 0)
        (void)snprintf(facts->release, sizeof(facts->release), "%.31s", system.release);
    facts->disabled = (int)read_number("/proc/sys/kernel/io_uring_disabled", "", -1);
    facts->group = read_number("/proc/sys/kernel/io_uring_group", "", -1);
    facts->seccomp = (int)read_number("/proc/self/status", "Seccomp:", -1);
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        facts->memlock_kb = limit.rlim_cur / 1024;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        facts->nofile = limit.rlim_cur;
}

static void explain_permission(char *out, size_t cap, const lr__uring_facts *facts)
{
    if (facts->disabled == 2)
        (void)snprintf(out, cap, "kernel.io_uring_disabled=2; set it to 0");
    else if (facts->disabled == 1 && facts->seccomp != 2)
        (void)snprintf(out, cap, "kernel.io_uring_disabled=1; set it to 0, or join group %ld",
                       facts->group);
    else if (facts->seccomp == 2)
        (void)snprintf(out, cap, "seccomp filter active (kernel.io_uring_disabled=%d); %s",
                       facts->disabled, "allow it in its profile");
    else
        (void)snprintf(out, cap, "kernel.io_uring_disabled=%d, seccomp=%d; see the LSM's log",
                       facts->disabled, facts->seccomp);
}

static void explain(char *out, size_t cap, int sys, const lr__uring_facts *facts)
{
    switch (sys) {
    case EPERM:
    case EACCES:
        explain_permission(out, cap, facts);
        break;
    case ENOSYS:
        if (facts->seccomp == 2)
            explain_permission(out, cap, facts);
        else
            (void)snprintf(out, cap, "the kernel is built without it");
        break;
    case EINVAL:
    case EOPNOTSUPP:
        (void)snprintf(out, cap, "the kernel is too old; 6.1 is the oldest that works");
        break;
    case ENOMEM:
        if (facts->memlock_kb == UINT64_MAX)
            (void)snprintf(out, cap, "no memory");
        else
            (void)snprintf(out, cap, "RLIMIT_MEMLOCK is %llu KB; raise it (ulimit -l)",
                           (unsigned long long)facts->memlock_kb);
        break;
    case EMFILE:
        (void)snprintf(out, cap, "RLIMIT_NOFILE is %llu; raise it (ulimit -n)",
                       (unsigned long long)facts->nofile);
        break;
    case ENFILE:
        (void)snprintf(out, cap, "the system has too many open files; raise fs.file-max");
        break;
    default:
        (void)snprintf(out, cap, "kernel.io_uring_disabled=%d, seccomp=%d", facts->disabled,
                       facts->seccomp);
        break;
    }
}

lr_status lr__uring_explain(lr_error *err, const char *step, int sys, const lr__uring_facts *facts)
{
    char why[112];

    explain(why, sizeof(why), sys, facts);
    (void)lr__fail(err, LR_ERING, "io_uring refused: %s in %s, %s (kernel %s)", lr__errno_name(sys),
                   step, why, facts->release);
    if (err)
        err->sys = sys;
    return LR_ERING;
}

lr_status lr__uring_refused(lr_error *err, const char *step, int sys)
{
    lr__uring_facts facts;

    lr__uring_facts_read(&facts);
    return lr__uring_explain(err, step, sys, &facts);
}
