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

static void path_of_serve(char *out, size_t cap)
{
    const char *build = getenv("LOCKRING_BUILD_DIR");

    (void)snprintf(out, cap, "%s/bin/lockring-serve", build ? build : ".");
}

void serve_start(process *p, char *const *arguments, void (*before_exec)(void), bool keep_log)
{
    int out[2], log[2] = {-1, -1};
    char path[4096];

    path_of_serve(path, sizeof(path));
    if (access(path, X_OK) != 0)
        fail_msg("%s is not there; LOCKRING_BUILD_DIR names the build folder", path);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    if (keep_log)
        assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    (void)fflush(NULL);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        if (dup2(out[1], STDOUT_FILENO) < 0 || (keep_log && dup2(log[1], STDERR_FILENO) < 0))
            _exit(126);
        if (before_exec)
            before_exec();
        (void)execv(path, arguments);
        _exit(127);
    }
    (void)close(out[1]);
    if (keep_log)
        (void)close(log[1]);
    p->sock = out[0];
    p->log = log[0];
}

void serve_ready(process *p, char *line, size_t cap)
{
    size_t len = 0;
    char byte;

    while (len + 1 < cap) {
        ssize_t got = read(p->sock, &byte, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got != 1 || byte == '\n')
            break;
        line[len++] = byte;
    }
    line[len] = '\0';
}

uint16_t serve_port(const char *ready_line)
{
    const char *space = strchr(ready_line, ' ');
    const char *end = space ? strstr(space, " workers=") : NULL;
    const char *at = end;

    while (at && at > ready_line && at[-1] != ':')
        at--;
    return at ? (uint16_t)strtoul(at, NULL, 10) : 0;
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
