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

enum { SERVE_ARGUMENTS_MAX = 16 };

/* lockring-serve of this build, on a port that the kernel chooses. */
typedef struct serve_plan {
    const char *arguments[SERVE_ARGUMENTS_MAX]; /* up to a null, behind --listen 127.0.0.1:0 */
    void (*before_exec)(void);                  /* runs in the child [none] */
    bool keep_log;                              /* standard error is for process_log() */
} serve_plan;

/* Starts it and reads the line that it says when it listens, without its end; empty if it ended
 * instead. */
void serve_start(process *p, const serve_plan *plan, char *line, size_t cap);
uint16_t serve_port(const char *line);
/* Starts it on this ring with two workers, or skips the test if the ring is refused. Its port. */
uint16_t serve_start_on(process *p, lr_ring_choice ring, const serve_plan *plan);
/* Waits until it has written the word to standard error, which must have been kept. */
bool serve_await_log(process *p, const char *word);
/* All that it wrote to standard error until it ended, or closed it. */
void process_log(process *p, char *out, size_t cap);

#endif
