/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void process_fork(process *p, process_fn fn, void *arg)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    (void)fflush(NULL);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        (void)close(ends[0]);
        _exit(fn(ends[1], arg));
    }
    (void)close(ends[1]);
    p->sock = ends[0];
    p->log = -1;
}

int process_wait(process *p)
{
    int status = 0;
    pid_t got;

    do {
        got = waitpid(p->pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    if (p->sock >= 0)
        (void)close(p->sock);
    if (p->log >= 0)
        (void)close(p->log);
    p->sock = p->log = -1;
    if (got != p->pid)
        return 255;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool say(int sock, uint64_t value)
{
    return send(sock, &value, sizeof(value), MSG_NOSIGNAL) == (ssize_t)sizeof(value);
}

bool hear(int sock, uint64_t *value)
{
    ssize_t got;

    do {
        got = recv(sock, value, sizeof(*value), MSG_WAITALL);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(*value);
}

static void exec_serve(const serve_plan *plan, const char *path)
{
    const char *arguments[SERVE_ARGUMENTS_MAX + 6] = {path, "--listen", "127.0.0.1:0", "--handler",
                                                      "echo"};

    for (size_t i = 0; i < SERVE_ARGUMENTS_MAX; i++)
        arguments[i + 5] = plan->arguments[i];
    if (plan->before_exec)
        plan->before_exec();
    (void)execv(path, (char *const *)arguments);
    _exit(127);
}

static void read_line(int from, char *line, size_t cap)
{
    size_t len = 0;
    char byte;

    while (len + 1 < cap) {
        ssize_t got = read(from, &byte, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got != 1 || byte == '\n')
            break;
        line[len++] = byte;
    }
    line[len] = '\0';
}

void serve_start(process *p, const serve_plan *plan, char *line, size_t cap)
{
    const char *build = getenv("LOCKRING_BUILD_DIR");
    int out[2], log[2] = {-1, -1};
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/bin/lockring-serve", build ? build : ".");
    if (access(path, X_OK) != 0)
        fail_msg("%s is not there; LOCKRING_BUILD_DIR names the build folder", path);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    if (plan->keep_log)
        assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    (void)fflush(NULL);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        if (dup2(out[1], STDOUT_FILENO) < 0 || (plan->keep_log && dup2(log[1], STDERR_FILENO) < 0))
            _exit(126);
        exec_serve(plan, path);
    }
    (void)close(out[1]);
    if (plan->keep_log)
        (void)close(log[1]);
    p->sock = out[0];
    p->log = log[0];
    read_line(p->sock, line, cap);
}

uint16_t serve_start_on(process *p, lr_ring_choice ring, const serve_plan *plan)
{
    serve_plan with = {{"--workers", "2", "--ring", ring == LR_RING_URING ? "uring" : "epoll"},
                       plan->before_exec,
                       plan->keep_log};
    char line[200];
    int code;

    for (size_t i = 0; plan->arguments[i]; i++)
        with.arguments[i + 4] = plan->arguments[i];
    serve_start(p, &with, line, sizeof(line));
    if (serve_port(line) != 0)
        return serve_port(line);
    code = process_wait(p);
    if (code == 3 && ring == LR_RING_URING)
        skip();
    fail_msg("lockring-serve ended with %d", code);
    return 0;
}

uint16_t serve_port(const char *line)
{
    const char *space = strchr(line, ' ');
    const char *end = space ? strstr(space, " workers=") : NULL;
    const char *at = end;

    while (at && at > line && at[-1] != ':')
        at--;
    return at ? (uint16_t)strtoul(at, NULL, 10) : 0;
}

bool serve_await_log(process *p, const char *word)
{
    char line[1024];

    do {
        read_line(p->log, line, sizeof(line));
    } while (line[0] != '\0' && !strstr(line, word));
    return line[0] != '\0';
}

void process_log(process *p, char *out, size_t cap)
{
    size_t len = 0;

    while (len + 1 < cap) {
        ssize_t got = read(p->log, out + len, cap - 1 - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    out[len] = '\0';
}
