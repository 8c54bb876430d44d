/* SPDX-License-Identifier: MIT */
/* support.h: what several unit tests need: cmocka with its prerequisites, repeatable randomness,
 * and a child process in which something may die or write to standard error. */
#ifndef LR_TESTS_UNIT_SUPPORT_H
#define LR_TESTS_UNIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* A repeatable sequence (splitmix64). The seed is all of its state. */
static inline uint64_t support_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 <= result < limit. */
static inline uint64_t support_random_below(uint64_t *seed, uint64_t limit)
{
    return support_random(seed) % limit;
}

/* Runs fn(arg) in a child. Puts what it wrote to standard error, terminated, into out, and returns
 * the signal that ended it, 0 if none did. */
static inline int support_run_child(void (*fn)(void *arg), void *arg, char *out, size_t cap)
{
    size_t len = 0;
    ssize_t got;
    int ends[2], status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        fn(arg);
        _exit(0);
    }
    close(ends[1]);
    while (len < cap - 1 && (got = read(ends[0], out + len, cap - 1 - len)) > 0)
        len += (size_t)got;
    out[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* fn(arg) must die of a failed check whose message contains text. */
static inline void support_assert_check_fails(void (*fn)(void *arg), void *arg, const char *text)
{
    char said[4096];

    assert_int_equal(support_run_child(fn, arg, said, sizeof said), SIGABRT);
    assert_non_null(strstr(said, "lockring: check failed: "));
    assert_non_null(strstr(said, text));
}

#endif
