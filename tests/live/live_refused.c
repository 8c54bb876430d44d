/* SPDX-License-Identifier: MIT */
/* live_refused.c: lockring-serve where a seccomp filter refuses io_uring, as container runtimes do:
 * --ring auto serves on epoll and says why, --ring uring ends with 3, and so does auto where epoll
 * is refused too. */
#include "client.h"
#include "process.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Both calls fail with the error from here on; -1 stands for none. */
static void refuse(int first, int second, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)first, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)second, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA)),
    };
    struct sock_fprog filter = {(unsigned short)LIVE_COUNT_OF(code), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        _exit(77);
}

static void refuse_uring_eperm(void)
{
    refuse(__NR_io_uring_setup, -1, EPERM);
}

static void refuse_uring_enosys(void)
{
    refuse(__NR_io_uring_setup, -1, ENOSYS);
}

static void refuse_both(void)
{
    refuse(__NR_io_uring_setup, __NR_epoll_create1, EPERM);
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void serves_on_epoll_and_says_why(void (*before_exec)(void), const char *error)
{
    serve_plan plan = {{"--ring", "auto", "--workers", "1"}, before_exec, true};
    char line[200], log[4096], got[4];
    tls_client t;
    process p;

    serve_start(&p, &plan, line, sizeof(line));
    if (serve_port(line) == 0 && process_wait(&p) == 77)
        skip();
    assert_non_null(strstr(line, " workers=1 ring=epoll"));
    TLS_MUST(&t, tls_open(&t, serve_port(line), NULL));
    TLS_MUST(&t, tls_write(&t, "ping", 4));
    TLS_MUST(&t, tls_read(&t, got, 4));
    tls_close(&t, true);
    assert_int_equal(kill(p.pid, SIGTERM), 0);
    process_log(&p, log, sizeof(log));
    assert_int_equal(process_wait(&p), 0);
    assert_int_equal(count_lines(log), 1);
    assert_non_null(strstr(log, "ring_fallback ring=epoll"));
    assert_non_null(strstr(log, "io_uring"));
    assert_non_null(strstr(log, error));
}

static void ends_with_3_and_says_why(const char *ring, void (*before_exec)(void), const char *what,
                                     const char *error)
{
    serve_plan plan = {{"--ring", ring, "--workers", "1"}, before_exec, true};
    char line[200], log[4096];
    process p;
    int code;

    serve_start(&p, &plan, line, sizeof(line));
    process_log(&p, log, sizeof(log));
    code = process_wait(&p);
    if (code == 77)
        skip();
    assert_string_equal(line, "");
    assert_int_equal(code, 3);
    assert_int_equal(count_lines(log), 1);
    assert_ptr_equal(strstr(log, "lockring-serve: "), log);
    assert_non_null(strstr(log, what));
    assert_non_null(strstr(log, error));
}

static void auto_serves_on_epoll_where_io_uring_gives_eperm(void **state)
{
    (void)state;
    serves_on_epoll_and_says_why(refuse_uring_eperm, "EPERM");
}

static void auto_serves_on_epoll_where_io_uring_gives_enosys(void **state)
{
    (void)state;
    serves_on_epoll_and_says_why(refuse_uring_enosys, "ENOSYS");
}

static void uring_ends_with_3_where_io_uring_gives_eperm(void **state)
{
    (void)state;
    ends_with_3_and_says_why("uring", refuse_uring_eperm, "io_uring", "EPERM");
}

static void uring_ends_with_3_where_io_uring_gives_enosys(void **state)
{
    (void)state;
    ends_with_3_and_says_why("uring", refuse_uring_enosys, "io_uring", "ENOSYS");
}

static void auto_ends_with_3_where_nothing_is_usable(void **state)
{
    (void)state;
    ends_with_3_and_says_why("auto", refuse_both, "epoll", "EPERM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_serves_on_epoll_where_io_uring_gives_eperm),
        cmocka_unit_test(auto_serves_on_epoll_where_io_uring_gives_enosys),
        cmocka_unit_test(uring_ends_with_3_where_io_uring_gives_eperm),
        cmocka_unit_test(uring_ends_with_3_where_io_uring_gives_enosys),
        cmocka_unit_test(auto_ends_with_3_where_nothing_is_usable),
    };

    return LIVE_MAIN(tests);
}
