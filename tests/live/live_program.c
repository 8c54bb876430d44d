/* SPDX-License-Identifier: MIT */
/* live_program: lockring-serve as a process: rings that the system refuses, descriptors that run
 * out, and draining. The program is taken from the build folder. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { TEXT = 4096, PATIENCE_MS = 60000, TRANSFERS = 100, TRANSFER_BYTES = 300000 };

typedef struct program {
    pid_t pid;
    int out, err;
    uint16_t port;
    char line[TEXT]; /* what it said when it was ready */
} program;

typedef struct circumstances {
    int refuse_uring, refuse_epoll; /* errno that the system answers with; 0: not refused */
    rlim_t files;                   /* RLIMIT_NOFILE; 0: as it is */
} circumstances;

/* The child */

static void refuse(int number, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        _exit(90);
}

static void become(const circumstances *how, char *const *arguments)
{
    char path[TEXT];
    struct rlimit files = {how->files, how->files};

    (void)snprintf(path, sizeof(path), "%s/bin/lockring-serve", getenv("LOCKRING_BUILD_DIR"));
    if (how->files != 0 && setrlimit(RLIMIT_NOFILE, &files) != 0)
        _exit(91);
    if (how->refuse_uring != 0)
        refuse(SYS_io_uring_setup, how->refuse_uring);
    if (how->refuse_epoll != 0)
        refuse(SYS_epoll_create1, how->refuse_epoll);
    (void)execv(path, arguments);
    _exit(92);
}

static void program_start(program *p, const circumstances *how, char *const *arguments)
{
    int out[2], err[2];

    memset(p, 0, sizeof(*p));
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        (void)dup2(out[1], STDOUT_FILENO);
        (void)dup2(err[1], STDERR_FILENO);
        become(how, arguments);
    }
    (void)close(out[1]);
    (void)close(err[1]);
    p->out = out[0];
    p->err = err[0];
}

/* One line, or all that comes until the end. */
static void read_text(int fd, char *to, bool line)
{
    size_t len = 0;

    while (len < TEXT - 1) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};

        if (poll(&wait, 1, PATIENCE_MS) != 1)
            fail_msg("the program says nothing");
        if (read(fd, to + len, 1) != 1)
            break;
        if (to[len++] == '\n' && line)
            break;
    }
    to[len] = '\0';
}

static void program_ready(program *p)
{
    const char *colon;

    read_text(p->out, p->line, true);
    if (strncmp(p->line, "listening on 127.0.0.1:", 23) != 0) {
        read_text(p->err, p->line, false);
        fail_msg("not ready: %s", p->line);
    }
    colon = strchr(p->line, ':');
    p->port = (uint16_t)atoi(colon + 1);
    assert_true(p->port != 0);
}

static int program_exit(program *p, char *errors)
{
    int status;

    read_text(p->err, errors, false);
    assert_true(waitpid(p->pid, &status, 0) == p->pid);
    (void)close(p->out);
    (void)close(p->err);
    if (!WIFEXITED(status))
        fail_msg("ended by signal %d: %s", WTERMSIG(status), errors);
    return WEXITSTATUS(status);
}

/* Clients */

static SSL_CTX *ctx;

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static SSL *tls_on(int fd)
{
    SSL *ssl = SSL_new(ctx);

    assert_non_null(ssl);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    return ssl;
}

static SSL *tls_connect(uint16_t port)
{
    SSL *ssl = tls_on(connect_to(port));

    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}

static void tls_close(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    (void)SSL_shutdown(ssl);
    SSL_free(ssl);
    (void)close(fd);
}

static void assert_echo(SSL *ssl, const char *text)
{
    char back[64];
    int len = (int)strlen(text);

    assert_int_equal(SSL_write(ssl, text, len), len);
    for (int got = 0; got < len;) {
        int n = SSL_read(ssl, back + got, len - got);

        assert_true(n > 0);
        got += n;
    }
    assert_memory_equal(back, text, (size_t)len);
}

static void stop_and_expect(program *p, int status)
{
    char errors[TEXT];

    assert_int_equal(kill(p->pid, SIGTERM), 0);
    assert_int_equal(program_exit(p, errors), status);
}

static char *arguments_with_ring(const char *ring, char **arguments)
{
    static char line[][16] = {"lockring-serve", "--listen", "127.0.0.1:0", "--workers", "1",
                              "--ring",         ""};

    for (size_t i = 0; i < 7; i++)
        arguments[i] = line[i];
    (void)snprintf(line[6], sizeof(line[6]), "%s", ring);
    arguments[7] = NULL;
    return arguments[6];
}

/* Rings */

static void auto_serves_on_epoll_and_says_what_refused_io_uring(void **state)
{
    const int errors_of_system[] = {EPERM, ENOSYS};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        circumstances how = {.refuse_uring = errors_of_system[i]};
        char errors[TEXT], *arguments[8];
        program p;
        SSL *ssl;

        (void)arguments_with_ring("auto", arguments);
        program_start(&p, &how, arguments);
        program_ready(&p);
        assert_non_null(strstr(p.line, "ring=epoll"));
        read_text(p.err, errors, true);
        assert_non_null(strstr(errors, "io_uring"));
        assert_non_null(strstr(errors, errors_of_system[i] == EPERM ? "EPERM" : "ENOSYS"));
        assert_non_null(strstr(errors, "seccomp"));
        ssl = tls_connect(p.port);
        assert_echo(ssl, "on epoll");
        tls_close(ssl);
        stop_and_expect(&p, 0);
    }
}

static void uring_alone_exits_3_with_the_line_that_names_the_cause(void **state)
{
    circumstances how = {.refuse_uring = EPERM};
    char errors[TEXT], *arguments[8];
    program p;

    (void)state;
    (void)arguments_with_ring("uring", arguments);
    program_start(&p, &how, arguments);
    assert_int_equal(program_exit(&p, errors), 3);
    assert_non_null(strstr(errors, "EPERM"));
    assert_non_null(strstr(errors, "seccomp"));
    assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1); /* one line */
}

static void neither_ring_usable_exits_3(void **state)
{
    circumstances how = {.refuse_uring = EPERM, .refuse_epoll = EPERM};
    char errors[TEXT], *arguments[8];
    program p;

    (void)state;
    (void)arguments_with_ring("auto", arguments);
    program_start(&p, &how, arguments);
    assert_int_equal(program_exit(&p, errors), 3);
    assert_non_null(strstr(errors, "epoll"));
}

/* Descriptors */

static long cpu_ticks(pid_t pid)
{
    char path[64], text[TEXT];
    const char *at;
    long user, system;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    (void)fclose(file);
    at = strrchr(text, ')');
    assert_int_equal(
        sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system), 2);
    return user + system;
}

/* Waits until the server answers the hello, or says that it has no descriptor for it. */
static bool is_answered(const program *p, int fd)
{
    struct pollfd wait[2] = {{.fd = fd, .events = POLLIN}, {.fd = p->err, .events = POLLIN}};
    char line[TEXT];

    assert_true(poll(wait, 2, PATIENCE_MS) > 0);
    if (wait[0].revents != 0)
        return true;
    read_text(p->err, line, true);
    assert_non_null(strstr(line, "accept_paused"));
    assert_non_null(strstr(line, "EMFILE"));
    return false;
}

static void descriptors_run_out(const char *ring)
{
    enum { FILES = 48, CLIENTS = 60, QUIET_MS = 1500 };
    circumstances how = {.files = FILES};
    SSL *secure[CLIENTS];
    char *arguments[8];
    int established = 0;
    struct pollfd quiet = {.events = POLLIN};
    long before, after;
    program p;
    SSL *waiting;

    (void)arguments_with_ring(ring, arguments);
    program_start(&p, &how, arguments);
    program_ready(&p);
    for (;;) { /* until the server has no descriptor left */
        int fd = connect_to(p.port);
        SSL *ssl = tls_on(fd);

        assert_true(established < CLIENTS - 1);
        assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
        /* Sends the hello; it may even get to the end at once. */
        if (SSL_connect(ssl) != 1 && !is_answered(&p, fd)) {
            waiting = ssl;
            break;
        }
        assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
        assert_int_equal(SSL_connect(ssl), 1);
        secure[established++] = ssl;
    }
    assert_true(established > FILES / 2);
    before = cpu_ticks(p.pid);
    quiet.fd = SSL_get_fd(waiting);
    assert_int_equal(poll(&quiet, 1, QUIET_MS), 0); /* it waits in the queue meanwhile */
    after = cpu_ticks(p.pid);
    assert_true((after - before) * 1000 / sysconf(_SC_CLK_TCK) < QUIET_MS / 5); /* no spin */
    for (int i = 0; i < established; i++)
        assert_echo(secure[i], "still here");
    tls_close(secure[0]);
    assert_int_equal(fcntl(SSL_get_fd(waiting), F_SETFL, 0), 0);
    assert_int_equal(SSL_connect(waiting), 1); /* accepting goes on */
    assert_echo(waiting, "at last");
    tls_close(waiting);
    for (int i = 1; i < established; i++)
        tls_close(secure[i]);
    stop_and_expect(&p, 0);
}

static void accepting_pauses_without_descriptors_and_resumes_on_uring(void **state)
{
    (void)state;
    descriptors_run_out("uring");
}

static void accepting_pauses_without_descriptors_and_resumes_on_epoll(void **state)
{
    (void)state;
    descriptors_run_out("epoll");
}

/* Draining */

typedef struct transfer {
    SSL *ssl;
    long sent, received;
} transfer;

static void transfer_some(transfer *t, long until)
{
    char bytes[10000];

    while (t->received < until) {
        int n;

        if (t->sent < until) {
            memset(bytes, (int)(t->sent / (long)sizeof(bytes)), sizeof(bytes));
            assert_int_equal(SSL_write(t->ssl, bytes, sizeof(bytes)), sizeof(bytes));
            t->sent += (long)sizeof(bytes);
        }
        n = SSL_read(t->ssl, bytes, sizeof(bytes));
        assert_true(n > 0);
        t->received += n;
    }
}

static void signal_during_transfers(const char *ring, bool finish)
{
    char *arguments[10], errors[TEXT];
    char option[] = "--drain-timeout", value[] = "300", patience[] = "60000";
    transfer transfers[TRANSFERS] = {{NULL, 0, 0}};
    circumstances how = {0};
    program p;

    (void)arguments_with_ring(ring, arguments);
    arguments[7] = option;
    arguments[8] = finish ? patience : value;
    arguments[9] = NULL;
    program_start(&p, &how, arguments);
    program_ready(&p);
    for (int i = 0; i < TRANSFERS; i++) {
        transfers[i].ssl = tls_connect(p.port);
        transfer_some(&transfers[i], TRANSFER_BYTES / 3);
    }
    assert_int_equal(kill(p.pid, SIGTERM), 0);
    for (int i = 0; finish && i < TRANSFERS; i++) {
        transfer_some(&transfers[i], TRANSFER_BYTES);
        tls_close(transfers[i].ssl);
    }
    assert_int_equal(program_exit(&p, errors), 0);
    for (int i = 0; !finish && i < TRANSFERS; i++) {
        char byte;

        assert_true(SSL_read(transfers[i].ssl, &byte, 1) <= 0); /* cut at the deadline */
        tls_close(transfers[i].ssl);
    }
}

static void every_transfer_finishes_after_sigterm_on_uring(void **state)
{
    (void)state;
    signal_during_transfers("uring", true);
}

static void every_transfer_finishes_after_sigterm_on_epoll(void **state)
{
    (void)state;
    signal_during_transfers("epoll", true);
}

static void the_deadline_cuts_what_is_left_on_uring(void **state)
{
    (void)state;
    signal_during_transfers("uring", false);
}

static void the_deadline_cuts_what_is_left_on_epoll(void **state)
{
    (void)state;
    signal_during_transfers("epoll", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_serves_on_epoll_and_says_what_refused_io_uring),
        cmocka_unit_test(uring_alone_exits_3_with_the_line_that_names_the_cause),
        cmocka_unit_test(neither_ring_usable_exits_3),
        cmocka_unit_test(accepting_pauses_without_descriptors_and_resumes_on_uring),
        cmocka_unit_test(accepting_pauses_without_descriptors_and_resumes_on_epoll),
        cmocka_unit_test(every_transfer_finishes_after_sigterm_on_uring),
        cmocka_unit_test(every_transfer_finishes_after_sigterm_on_epoll),
        cmocka_unit_test(the_deadline_cuts_what_is_left_on_uring),
        cmocka_unit_test(the_deadline_cuts_what_is_left_on_epoll),
    };
    int failed;

    (void)signal(SIGPIPE, SIG_IGN);
    if (!getenv("LOCKRING_BUILD_DIR")) {
        print_message("LOCKRING_BUILD_DIR is not set\n");
        return 77;
    }
    ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx || SSL_CTX_set1_groups_list(ctx, "X25519") != 1)
        return EXIT_FAILURE;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    SSL_CTX_free(ctx);
    return failed;
}
