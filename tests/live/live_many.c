/* SPDX-License-Identifier: MIT */
/* live_many: 19,000 idle connections in one process, then all aborted; and 1,000 connections
 * aborted at every stage of their life: pools empty at the end (lr_workers_free() checks), memory
 * back within 2 MB of what it was before.
 *
 * The clients live in a child process, since each side needs nearly every descriptor it may have.
 * They keep the socket and drop their TLS state, which the server does not notice. Sanitizers keep
 * freed memory on purpose: there fewer connections are made and memory is only printed. */
#include <lockring/lockring.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IDLE = 1000, WARM_UP = 100, SANITIZED = 1 };
#else
enum { IDLE = 19000, WARM_UP = 1200, SANITIZED = 0 };
#endif

enum { ABORTS = 1000, STAGES = 6, PATIENCE_S = 60, SLACK_KB = 2048 };

typedef struct rig {
    lr_workers *workers;
    lr_context *context;
    lr_server *server;
    uint16_t port;
    lr_ring_choice ring;
} rig;

static void on_data(lr_conn *c, lr_slice bytes)
{
    if (lr_conn_write(c, bytes) != LR_OK)
        lr_conn_abort(c, LR_OK);
}

static void rig_open(rig *r, lr_ring_choice ring)
{
    static const lr_handlers handlers = {LR_HANDLERS, .on_data = on_data};
    lr_workers_options on = {LR_WORKERS_OPTIONS, .worker_count = 1, .ring = ring,
                             .log_level = LR_LOG_OFF};
    lr_context_options who = {LR_CONTEXT_OPTIONS, .self_signed = "localhost"};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1"};
    lr_error err;

    r->ring = ring;
    if (lr_workers_new(&on, &r->workers, &err) == LR_ERING) {
        print_message("%s\n", err.text);
        skip();
    }
    assert_int_equal(lr_context_new(&who, &r->context, &err), LR_OK);
    lr_server_options options = {LR_SERVER_OPTIONS, .handlers = &handlers, .context = r->context,
                                 .handshake_timeout_ms = 600000};
    assert_int_equal(lr_server_new(r->workers, &options, &r->server, &err), LR_OK);
    assert_int_equal(lr_server_listen(r->server, &listen, NULL, &err), LR_OK);
    r->port = lr_server_port(r->server, 0);
}

static void rig_close(rig *r)
{
    lr_workers_stop(r->workers, 0);
    lr_workers_join(r->workers);
    lr_server_free(r->server);
    lr_workers_free(r->workers);
    lr_context_release(r->context);
}

static long resident_kb(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size, resident = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &size, &resident), 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void pause_briefly(void)
{
    const struct timespec ten_ms = {0, 10000000};

    (void)nanosleep(&ten_ms, NULL);
}

static void wait_for_count(const rig *r, uint64_t count)
{
    for (int i = 0; lr_server_connection_count(r->server) != count; i++) {
        assert_true(i < PATIENCE_S * 100);
        pause_briefly();
    }
}

/* The library gives memory back when it is quiet: the condition is awaited, not a time. */
static void wait_for_memory(long before_kb)
{
    if (SANITIZED)
        return;
    for (int i = 0; resident_kb() > before_kb + SLACK_KB; i++) {
        if (i == PATIENCE_S * 10)
            fail_msg("%ld KB before, %ld KB after", before_kb, resident_kb());
        pause_briefly();
    }
}

/* The client process */

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        _exit(10);
    return fd;
}

static SSL *begin_tls(SSL_CTX *ctx, int fd)
{
    SSL *ssl = SSL_new(ctx);

    if (!ssl || SSL_set_fd(ssl, fd) != 1)
        _exit(11);
    SSL_set_quiet_shutdown(ssl, 1);
    return ssl;
}

static SSL_CTX *client_context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx || SSL_CTX_set1_groups_list(ctx, "X25519") != 1)
        _exit(12);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return ctx;
}

/* Makes the connections, says so, and ends (all at once) when its input ends. */
static void run_idle_clients(uint16_t port, int count, int ready, int go)
{
    SSL_CTX *ctx = client_context();
    char byte;

    for (int i = 0; i < count; i++) {
        SSL *ssl = begin_tls(ctx, connect_to(port));

        if (SSL_connect(ssl) != 1)
            _exit(13);
        SSL_free(ssl);
    }
    if (write(ready, "r", 1) != 1 || read(go, &byte, 1) != 0)
        _exit(14);
    _exit(0);
}

static void abort_socket(int fd, bool reset)
{
    struct linger now = {1, 0};

    if (reset)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)close(fd);
}

/* A real first flight, to be cut. */
static size_t first_flight(SSL_CTX *ctx, char *out, int cap)
{
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *to = BIO_new(BIO_s_mem());
    int len;

    if (!ssl || !in || !to)
        _exit(15);
    SSL_set_bio(ssl, in, to);
    (void)SSL_connect(ssl);
    len = BIO_read(to, out, cap);
    SSL_free(ssl);
    if (len <= 0)
        _exit(16);
    return (size_t)len;
}

static void abort_one(SSL_CTX *ctx, uint16_t port, int stage, bool reset)
{
    int fd = connect_to(port);
    char bytes[4096], sent[20000] = {0};
    size_t len = first_flight(ctx, bytes, sizeof(bytes));
    SSL *ssl;

    switch (stage) {
    case 0: /* connected */
        break;
    case 1: /* in the middle of the hello */
        if (write(fd, bytes, len / 2) != (ssize_t)(len / 2))
            _exit(17);
        break;
    case 2: /* hello sent, the answer not read */
        if (write(fd, bytes, len) != (ssize_t)len)
            _exit(17);
        break;
    case 3: /* the answer read, no Finished */
        if (write(fd, bytes, len) != (ssize_t)len || read(fd, bytes, sizeof(bytes)) <= 0)
            _exit(17);
        break;
    default: /* secure; in the middle of a transfer */
        ssl = begin_tls(ctx, fd);
        if (SSL_connect(ssl) != 1)
            _exit(13);
        if (stage == 5)
            (void)SSL_write(ssl, sent, sizeof(sent));
        SSL_free(ssl);
        break;
    }
    abort_socket(fd, reset);
}

static void run_aborting_clients(uint16_t port, int count)
{
    SSL_CTX *ctx = client_context();

    for (int i = 0; i < count; i++)
        abort_one(ctx, port, i % STAGES, i / STAGES % 2 == 0);
    _exit(0);
}

static void raise_file_limit(void)
{
    struct rlimit files;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
}

static int usable_idle(int wanted)
{
    struct rlimit files;

    raise_file_limit();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_cur < (rlim_t)wanted + 200) {
        print_message("only %lu descriptors per process here\n", (unsigned long)files.rlim_cur);
        return (int)files.rlim_cur - 200;
    }
    return wanted;
}

/* Holds count idle connections; tells what one of them takes. */
static void idle_round(rig *r, int count, bool tell)
{
    int ready[2], go[2], status;
    long before = resident_kb();
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(go[1]);
        run_idle_clients(r->port, count, ready[1], go[0]);
    }
    (void)close(go[0]);
    (void)close(ready[1]);
    if (read(ready[0], &byte, 1) != 1)
        fail_msg("the clients failed");
    wait_for_count(r, (uint64_t)count);
    if (tell)
        print_message("ring=%s connections=%d resident_bytes_per_connection=%ld\n",
                      lr_workers_ring(r->workers), count, (resident_kb() - before) * 1024 / count);
    (void)close(go[1]); /* all of them end now */
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_int_equal(status, 0);
    wait_for_count(r, 0);
    (void)close(ready[0]);
}

static void idle_connections_come_and_go(lr_ring_choice ring)
{
    rig r;
    lr_error err;
    int count = usable_idle(IDLE);
    long before;

    rig_open(&r, ring);
    assert_int_equal(lr_workers_start(r.workers, &err), LR_OK);
    idle_round(&r, WARM_UP, false);
    before = resident_kb();
    idle_round(&r, count, true);
    wait_for_memory(before);
    rig_close(&r);
}

static void aborted_connections_leave_nothing(lr_ring_choice ring)
{
    rig r;
    lr_error err;
    long before = 0;

    rig_open(&r, ring);
    assert_int_equal(lr_workers_start(r.workers, &err), LR_OK);
    for (int round = 0; round < 2; round++) { /* the first warms up */
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
            run_aborting_clients(r.port, SANITIZED ? ABORTS / 4 : ABORTS);
        assert_true(waitpid(pid, &status, 0) == pid);
        assert_int_equal(status, 0);
        wait_for_count(&r, 0);
        if (round == 0)
            before = resident_kb();
    }
    wait_for_memory(before);
    rig_close(&r);
}

static void many_idle_connections_then_all_aborted_on_uring(void **state)
{
    (void)state;
    idle_connections_come_and_go(LR_RING_URING);
}

static void many_idle_connections_then_all_aborted_on_epoll(void **state)
{
    (void)state;
    idle_connections_come_and_go(LR_RING_EPOLL);
}

static void connections_aborted_at_every_stage_leave_nothing_on_uring(void **state)
{
    (void)state;
    aborted_connections_leave_nothing(LR_RING_URING);
}

static void connections_aborted_at_every_stage_leave_nothing_on_epoll(void **state)
{
    (void)state;
    aborted_connections_leave_nothing(LR_RING_EPOLL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_aborted_at_every_stage_leave_nothing_on_uring),
        cmocka_unit_test(connections_aborted_at_every_stage_leave_nothing_on_epoll),
        cmocka_unit_test(many_idle_connections_then_all_aborted_on_uring),
        cmocka_unit_test(many_idle_connections_then_all_aborted_on_epoll),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
