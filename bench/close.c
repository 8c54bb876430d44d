/* SPDX-License-Identifier: MIT */
/* bench/close.c: CPU time of closing one connection while thousands have a receive armed.
 *
 *     close [CONNECTIONS [CLOSES]]     default 9000 1000
 *
 * One worker holds CONNECTIONS idle TLS connections (OpenSSL clients in a child process) and one
 * that commands. The client sends CLOSES commands, one at a time, each answered: first commands
 * that do nothing, then commands that make the handler end one idle connection. The difference of
 * the server's CPU clock over CLOSES is what one close costs: cancelling its receive, closing, its
 * hooks and giving its memory back. Cancelling by descriptor would walk every armed request. */
#include <lockring/lockring.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct registry {
    lr_conn **idle;     /* on the worker only */
    size_t count, next; /* idle[next..count) are open */
    int answers;        /* the server's CPU clock goes here on command */
} registry;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "close: %s\n", what);
    exit(EXIT_FAILURE);
}

static int64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static registry *registry_of(const lr_conn *c)
{
    return lr_server_user(lr_conn_server(c));
}

static void on_secure(lr_conn *c)
{
    registry *all = registry_of(c);

    all->idle[all->count++] = c;
}

/* 'n': nothing; 'c': close an idle connection; 't': tell the clock. The commander came last, so it
 * is never at the front. */
static void on_data(lr_conn *c, lr_slice bytes)
{
    registry *all = registry_of(c);

    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.bytes[i] == 'c') {
            lr_conn_abort(all->idle[all->next++], LR_OK);
        } else if (bytes.bytes[i] == 't') {
            int64_t now = cpu_ns();

            if (write(all->answers, &now, sizeof(now)) != sizeof(now))
                die("pipe");
        }
        if (lr_conn_write(c, LR_LIT(".")) != LR_OK)
            die("write");
    }
}

static SSL *connect_one(SSL_CTX *ctx, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    SSL *ssl = SSL_new(ctx);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || !ssl || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
        SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
        die("connect");
    return ssl;
}

static void command(SSL *ssl, char what)
{
    char answer;

    if (SSL_write(ssl, &what, 1) != 1 || SSL_read(ssl, &answer, 1) != 1)
        die("command");
}

static void run_client(uint16_t port, long connections, long closes)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *commander;

    if (!ctx || SSL_CTX_set1_groups_list(ctx, "X25519") != 1)
        die("OpenSSL");
    for (long i = 0; i < connections; i++)
        (void)connect_one(ctx, port); /* kept until this process ends */
    commander = connect_one(ctx, port);
    for (int series = 0; series < 2; series++) {
        command(commander, 't');
        for (long i = 0; i < closes; i++)
            command(commander, series == 0 ? 'n' : 'c');
        command(commander, 't');
    }
    _exit(EXIT_SUCCESS);
}

static double measure(lr_ring_choice ring, long connections, long closes)
{
    static const lr_handlers handlers = {LR_HANDLERS, .on_secure = on_secure, .on_data = on_data};
    lr_workers_options on = {LR_WORKERS_OPTIONS, .worker_count = 1, .ring = ring,
                             .log_level = LR_LOG_OFF};
    lr_context_options who = {LR_CONTEXT_OPTIONS, .self_signed = "localhost"};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1"};
    registry all = {calloc((size_t)connections + 1, sizeof(lr_conn *)), 0, 0, -1};
    int64_t clock[4];
    int answers[2], status;
    lr_workers *workers;
    lr_context *context;
    lr_server *server;
    lr_error err;
    pid_t pid;

    if (!all.idle || pipe(answers) != 0)
        die("pipe");
    all.answers = answers[1];
    if (lr_context_new(&who, &context, &err) != LR_OK ||
        lr_workers_new(&on, &workers, &err) != LR_OK)
        die(err.text);
    lr_server_options options = {LR_SERVER_OPTIONS, .handlers = &handlers, .context = context,
                                 .user = &all};
    if (lr_server_new(workers, &options, &server, &err) != LR_OK ||
        lr_server_listen(server, &listen, NULL, &err) != LR_OK)
        die(err.text);
    pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0)
        run_client(lr_server_port(server, 0), connections, closes);
    if (lr_workers_start(workers, &err) != LR_OK)
        die(err.text);
    for (int i = 0; i < 4; i++) {
        if (read(answers[0], &clock[i], sizeof(clock[i])) != sizeof(clock[i]))
            die("pipe");
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        die("the client failed");
    lr_workers_stop(workers, 0);
    lr_workers_join(workers);
    lr_server_free(server);
    lr_workers_free(workers);
    lr_context_release(context);
    close(answers[0]);
    close(answers[1]);
    free(all.idle);
    return (double)((clock[3] - clock[2]) - (clock[1] - clock[0])) / 1000.0 / (double)closes;
}

int main(int argc, char **argv)
{
    long connections = argc > 1 ? atol(argv[1]) : 9000, closes = argc > 2 ? atol(argv[2]) : 1000;
    struct rlimit files;

    if (connections < 1 || closes < 1 || closes > connections)
        die("usage: close [CONNECTIONS [CLOSES]]");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    printf("closing one of %ld connections, server CPU, %ld times\n", connections, closes);
    printf("uring %6.1f us\n", measure(LR_RING_URING, connections, closes));
    printf("epoll %6.1f us\n", measure(LR_RING_EPOLL, connections, closes));
    return EXIT_SUCCESS;
}
