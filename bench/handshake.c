/* SPDX-License-Identifier: MIT */
/* bench/handshake.c: CPU time of the server process per full TLS handshake, uring and epoll in
 * turn.
 *
 *     handshake [COUNT [ROUNDS [GROUP [VERSION]]]]     default 20000 5 X25519 1.3
 *
 * The server is a process of its own with one worker pinned to the first CPU and an ECDSA P-256
 * certificate; its handler ends the connection as soon as it is secure, so a connection is accept,
 * handshake, close_notify and close. Eight client processes (OpenSSL, on the second CPU if there is
 * one) share COUNT handshakes. The figure is the server's CPU clock (user and system) over COUNT,
 * per round and ring; rounds alternate between the rings, so a ratio holds on a noisy machine. */
#include <lockring/lockring.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 8, WARM_UP = 500, ROUNDS_MAX = 64 };

typedef struct plan {
    long count;
    int rounds;
    const char *group;
    bool tls12;
} plan;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "handshake: %s\n", what);
    exit(EXIT_FAILURE);
}

static void pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    (void)sched_setaffinity(0, sizeof(set), &set);
}

static int second_cpu(void)
{
    return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0;
}

static int64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void on_secure(lr_conn *c)
{
    lr_conn_end(c);
}

/* Answers each byte on the pipe with its CPU clock; ends when the pipe does. */
static void serve(lr_ring_choice ring, int commands, int answers)
{
    static const lr_handlers handlers = {LR_HANDLERS, .on_secure = on_secure};
    lr_workers_options on = {LR_WORKERS_OPTIONS, .worker_count = 1, .pin = LR_OFF, .ring = ring};
    lr_context_options who = {LR_CONTEXT_OPTIONS, .self_signed = "localhost"};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1"};
    lr_workers *workers;
    lr_context *context;
    lr_server *server;
    lr_error err;
    uint16_t port;
    char command;

    pin(0);
    if (lr_workers_new(&on, &workers, &err) != LR_OK ||
        lr_context_new(&who, &context, &err) != LR_OK)
        die(err.text);
    lr_server_options options = {LR_SERVER_OPTIONS, .handlers = &handlers, .context = context};
    if (lr_server_new(workers, &options, &server, &err) != LR_OK ||
        lr_server_listen(server, &listen, NULL, &err) != LR_OK ||
        lr_workers_start(workers, &err) != LR_OK)
        die(err.text);
    port = lr_server_port(server, 0);
    if (write(answers, &port, sizeof(port)) != sizeof(port))
        die("pipe");
    while (read(commands, &command, 1) == 1) {
        int64_t now = cpu_ns();

        if (write(answers, &now, sizeof(now)) != sizeof(now))
            die("pipe");
    }
    lr_workers_stop(workers, 1000);
    lr_workers_join(workers);
    lr_server_free(server);
    lr_workers_free(workers);
    lr_context_release(context);
    exit(EXIT_SUCCESS);
}

static void one_handshake(SSL_CTX *ctx, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    SSL *ssl = SSL_new(ctx);
    char byte;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || !ssl || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        die("connect");
    if (SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
        die("the handshake failed");
    (void)SSL_read(ssl, &byte, 1); /* until the server's close_notify */
    SSL_free(ssl);
    close(fd);
}

static void run_client(const plan *p, uint16_t port, long count)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    char groups[64];

    pin(second_cpu());
    /* In TLS 1.2 the groups are those of certificates too. */
    (void)snprintf(groups, sizeof(groups), "%.50s%s", p->group, p->tls12 ? ":P-256" : "");
    if (!ctx || SSL_CTX_set1_groups_list(ctx, groups) != 1)
        die("this OpenSSL does not know the group");
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (p->tls12)
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    for (long i = 0; i < count; i++)
        one_handshake(ctx, port);
    SSL_CTX_free(ctx);
    exit(EXIT_SUCCESS);
}

static void run_clients(const plan *p, uint16_t port, long count)
{
    pid_t pids[CLIENTS];
    int status;

    for (int i = 0; i < CLIENTS; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            die("fork");
        if (pids[i] == 0)
            run_client(p, port, count / CLIENTS);
    }
    for (int i = 0; i < CLIENTS; i++) {
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
            die("a client failed");
    }
}

static int64_t ask(int commands, int answers)
{
    int64_t ns;

    if (write(commands, "?", 1) != 1 || read(answers, &ns, sizeof(ns)) != sizeof(ns))
        die("the server is gone");
    return ns;
}

/* Microseconds of server CPU per handshake. */
static double measure(const plan *p, lr_ring_choice ring)
{
    int commands[2], answers[2], status;
    uint16_t port;
    int64_t before, after;
    pid_t pid;

    if (pipe(commands) != 0 || pipe(answers) != 0)
        die("pipe");
    pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        close(commands[1]);
        close(answers[0]);
        serve(ring, commands[0], answers[1]);
    }
    close(commands[0]);
    close(answers[1]);
    if (read(answers[0], &port, sizeof(port)) != sizeof(port))
        die("the server did not start");
    run_clients(p, port, WARM_UP);
    before = ask(commands[1], answers[0]);
    run_clients(p, port, p->count);
    after = ask(commands[1], answers[0]);
    close(commands[1]);
    close(answers[0]);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        die("the server failed");
    return (double)(after - before) / 1000.0 / (double)(p->count / CLIENTS * CLIENTS);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void report(const char *name, double *us, int rounds)
{
    qsort(us, (size_t)rounds, sizeof(us[0]), compare);
    printf("%-6s min %6.1f  median %6.1f  max %6.1f us of server CPU per handshake\n", name, us[0],
           us[rounds / 2], us[rounds - 1]);
}

int main(int argc, char **argv)
{
    plan p = {argc > 1 ? atol(argv[1]) : 20000, argc > 2 ? atoi(argv[2]) : 5,
              argc > 3 ? argv[3] : "X25519", argc > 4 && strcmp(argv[4], "1.2") == 0};
    double uring[ROUNDS_MAX], epoll[ROUNDS_MAX];

    if (p.count < CLIENTS || p.rounds < 1 || p.rounds > ROUNDS_MAX)
        die("usage: handshake [COUNT [ROUNDS [GROUP [VERSION]]]]");
    printf("%ld full TLS %s handshakes per round, ECDSA P-256 certificate, %s, one worker\n",
           p.count, p.tls12 ? "1.2" : "1.3", p.group);
    (void)fflush(stdout); /* before the first fork */
    for (int i = 0; i < p.rounds; i++) {
        uring[i] = measure(&p, LR_RING_URING);
        epoll[i] = measure(&p, LR_RING_EPOLL);
    }
    report("uring", uring, p.rounds);
    report("epoll", epoll, p.rounds);
    return EXIT_SUCCESS;
}
