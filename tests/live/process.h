/* SPDX-License-Identifier: MIT */
/* process.h: other processes in live tests: a forked one that runs a function, and lockring-serve.
 *
 * A process is forked while the test has no threads, so before live_start(). The child must not
 * call cmocka: it tells by its exit status, 0 if all went well, and says why on standard error. The
 * two talk by numbers over a pair of sockets. */
#ifndef LR_TESTS_LIVE_PROCESS_H
#define LR_TESTS_LIVE_PROCESS_H

#include "support.h"

typedef struct process {
    pid_t pid;
    int sock; /* forked: to say and hear; lockring-serve: its standard output */
    int log;  /* lockring-serve: its standard error; -1 */
} process;

/* In the child: talks over sock, returns its exit status. */
typedef int (*process_fn)(int sock, void *arg);

void process_fork(process *p, process_fn fn, void *arg);
/* Waits for its end. The exit status, or 128 and the signal. */
int process_wait(process *p);

/* Both sides. False: the other one has gone. */
bool say(int sock, uint64_t value);
bool hear(int sock, uint64_t *value);

/* Starts lockring-serve of this build; before_exec (null: nothing) runs in the child first. Its
 * standard error is kept if keep_log, to be read by process_log(). */
void serve_start(process *p, char *const *arguments, void (*before_exec)(void), bool keep_log);
/* The line that it says when it listens, without its end; empty if it ended instead. */
void serve_ready(process *p, char *line, size_t cap);
uint16_t serve_port(const char *ready_line);
/* All that it wrote to standard error until it ended, or closed it. */
void process_log(process *p, char *out, size_t cap);

#endif
