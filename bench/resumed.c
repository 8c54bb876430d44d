/* SPDX-License-Identifier: MIT */
/* bench/resumed.c: CPU time of the server process per TLS handshake: full without tickets, full
 * with tickets, and resumed; on io_uring, on epoll, and nginx beside them if it is installed.
 *
 *     resumed [COUNT [ROUNDS [WORD ...]]]
 *
 * Default: 8000 5. With words only the rows that have all of them, as in resumed 8000 5 1.3 full.
 *
 * Each server is a process with one worker pinned to the first CPU; all have the same ECDSA P-256
 * certificate, X25519 and AES-128-GCM, and give the tickets that they give by default, which is two
 * of a full handshake of TLS 1.3 and one of a resumed one for both. Eight client processes
 * (OpenSSL, on the second CPU if there is one) share COUNT handshakes; a client ends the connection
 * with close_notify as soon as it is secure and reads until the server's, so the tickets are among
 * what is paid for. The figure is the server's CPU clock (user and system) over COUNT; rounds go
 * through all rows in turn, so ratios hold on a noisy machine. */
#include <lockring/lockring.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 8, WARM_UP = 400, ROUNDS_MAX = 64, ROWS_MAX = 16, PATH = 64 };

typedef enum kind { URING, EPOLL, NGINX, KINDS } kind;

static const char *const kind_names[KINDS] = {"uring", "epoll", "nginx"};

typedef struct server {
    pid_t pid;
    uint16_t port;
} server;

typedef struct row {
    kind kind;
    bool tls12, tickets, resumed;
    double us[ROUNDS_MAX];
} row;

static char folder[PATH] = "/tmp/resumed.XXXXXX";

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "resumed: %s\n", what);
    exit(EXIT_FAILURE);
}

static void pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    (void)sched_setaffinity(0, sizeof(set), &set);
}

static const char *in_folder(char out[2 * PATH], const char *name)
{
    (void)snprintf(out, 2 * PATH, "%s/%s", folder, name);
    return out;
}

static FILE *create(const char *name)
{
    char path[2 * PATH];
    FILE *file = fopen(in_folder(path, name), "we");

    if (!file || chmod(path, 0600) != 0)
        die("no file can be written");
    return file;
}

static void make_certificate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    FILE *to;

    if (!key || !cert || X509_set_version(cert, 2) != 1 ||
        ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) != 1 ||
        !X509_gmtime_adj(X509_getm_notBefore(cert), -60) ||
        !X509_gmtime_adj(X509_getm_notAfter(cert), 86400) || X509_set_pubkey(cert, key) != 1 ||
        X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                   (const unsigned char *)"localhost", -1, -1, 0) != 1 ||
        X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1 ||
        X509_sign(cert, key, EVP_sha256()) == 0)
        die("no certificate");
    to = create("cert.pem");
    if (PEM_write_X509(to, cert) != 1 || fclose(to) != 0)
        die("cert.pem");
    to = create("cert.key");
    if (PEM_write_PrivateKey(to, key, NULL, NULL, 0, NULL, NULL) != 1 || fclose(to) != 0)
        die("cert.key");
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* A server of ours, until its parent ends. */
static _Noreturn void serve(lr_ring_choice ring, bool tickets, int answers)
{
    static const lr_handlers handlers = {LR_HANDLERS};
    char cert[2 * PATH], key[2 * PATH];
    lr_workers_options on = {LR_WORKERS_OPTIONS, .worker_count = 1, .pin = LR_OFF, .ring = ring};
    lr_context_options who = {LR_CONTEXT_OPTIONS, .cert_file = in_folder(cert, "cert.pem"),
                              .key_file = in_folder(key, "cert.key"), .groups = "X25519",
                              .tickets = tickets ? LR_ON : LR_OFF};
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = "127.0.0.1"};
    lr_workers *workers;
    lr_context *context;
    lr_server *made;
    lr_error err;
    uint16_t port;

    if (lr_workers_new(&on, &workers, &err) != LR_OK ||
        lr_context_new(&who, &context, &err) != LR_OK)
        die(err.text);
    lr_server_options options = {LR_SERVER_OPTIONS, .handlers = &handlers, .context = context};
    if (lr_server_new(workers, &options, &made, &err) != LR_OK ||
        lr_server_listen(made, &listen, NULL, &err) != LR_OK ||
        lr_workers_start(workers, &err) != LR_OK)
        die(err.text);
    port = lr_server_port(made, 0);
    if (write(answers, &port, sizeof(port)) != sizeof(port))
        die("pipe");
    lr_workers_join(workers); /* it is killed */
    exit(EXIT_FAILURE);
}

static pid_t fork_server(void)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(0);
    }
    return pid;
}

static server start_ours(lr_ring_choice ring, bool tickets)
{
    server out;
    int answers[2];

    if (pipe(answers) != 0)
        die("pipe");
    out.pid = fork_server();
    if (out.pid == 0)
        serve(ring, tickets, answers[1]);
    close(answers[1]);
    if (read(answers[0], &out.port, sizeof(out.port)) != sizeof(out.port))
        die("a server did not start");
    close(answers[0]);
    return out;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        die("socket");
    /* Without a delay in front of the alert that follows the client's Finished. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* A port that is free now, because nginx does not tell what the kernel has chosen. */
static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        die("no port");
    close(fd);
    return ntohs(at.sin_port);
}

/* pid 0: it is not installed. One process is master and worker, so its clock is the worker's. */
static server start_nginx(void)
{
    server out = {.pid = 0, .port = free_port()};
    FILE *to = create("nginx.conf");
    char config[2 * PATH];
    int status, fd = -1;

    fprintf(to,
            "daemon off;\nmaster_process off;\nworker_processes 1;\nerror_log stderr crit;\n"
            "pid %s/nginx.pid;\nevents { worker_connections 1024; }\n"
            "http {\n  access_log off;\n  client_body_temp_path %s/a;\n  proxy_temp_path %s/b;\n"
            "  fastcgi_temp_path %s/c;\n  uwsgi_temp_path %s/d;\n  scgi_temp_path %s/e;\n"
            "  server {\n    listen 127.0.0.1:%u ssl;\n    ssl_certificate %s/cert.pem;\n"
            "    ssl_certificate_key %s/cert.key;\n    ssl_protocols TLSv1.2 TLSv1.3;\n"
            "    ssl_ecdh_curve X25519;\n    ssl_session_tickets on;\n    return 204;\n  }\n}\n",
            folder, folder, folder, folder, folder, folder, out.port, folder, folder);
    if (fclose(to) != 0)
        die("nginx.conf");
    out.pid = fork_server();
    if (out.pid == 0) {
        execlp("nginx", "nginx", "-p", folder, "-c", in_folder(config, "nginx.conf"), (char *)NULL);
        _exit(127);
    }
    while (fd < 0) {
        if (waitpid(out.pid, &status, WNOHANG) == out.pid) {
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 127)
                die("nginx did not start");
            out.pid = 0;
            return out;
        }
        fd = connect_to(out.port);
        (void)usleep(1000);
    }
    close(fd);
    return out;
}

static int64_t cpu_ns(pid_t pid)
{
    struct timespec now;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) != 0)
        die("no clock of the server");
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A copy of the first session that a client got: OpenSSL takes one for used up that it has used. */
static SSL_SESSION *kept;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    if (!kept)
        kept = SSL_SESSION_dup(session);
    return 0;
}

static void one_handshake(SSL_CTX *ctx, uint16_t port, bool resumed)
{
    SSL_SESSION *session = resumed ? SSL_SESSION_dup(kept) : NULL;
    int fd = connect_to(port);
    SSL *ssl = SSL_new(ctx);
    char byte;

    if (fd < 0 || !ssl || SSL_set_fd(ssl, fd) != 1 ||
        (session && SSL_set_session(ssl, session) != 1))
        die("connect");
    if (SSL_connect(ssl) != 1)
        die("the handshake failed");
    if ((SSL_session_reused(ssl) != 0) != resumed)
        die("a handshake was full that should be resumed, or the other way round");
    (void)SSL_shutdown(ssl);
    (void)SSL_read(ssl, &byte, 1); /* tickets, and the server's close_notify */
    SSL_free(ssl);
    SSL_SESSION_free(session);
    close(fd);
}

static SSL_CTX *client_context(const row *r)
{
    int version = r->tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    /* In TLS 1.2 the groups are those of certificates too. */
    if (!ctx || SSL_CTX_set1_groups_list(ctx, r->tls12 ? "X25519:P-256" : "X25519") != 1 ||
        SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256") != 1 ||
        SSL_CTX_set_min_proto_version(ctx, version) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, version) != 1)
        die("OpenSSL");
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    return ctx;
}

static _Noreturn void run_client(const row *r, uint16_t port, long count, int ready, int go)
{
    SSL_CTX *ctx = client_context(r);
    char byte = 0;

    pin(sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0);
    if (r->resumed) {
        one_handshake(ctx, port, false);
        if (!kept)
            die("the server gave no session");
    }
    /* The first session is not among what is measured. */
    if (write(ready, &byte, 1) != 1 || close(ready) != 0 || read(go, &byte, 1) != 0)
        die("pipe");
    for (long i = 0; i < count; i++)
        one_handshake(ctx, port, r->resumed);
    _exit(EXIT_SUCCESS);
}

/* Microseconds of server CPU per handshake. */
static double measure(const row *r, const server *at, long count)
{
    int ready[2], go[2], status;
    pid_t pids[CLIENTS];
    int64_t before;
    char byte;

    if (pipe(ready) != 0 || pipe(go) != 0)
        die("pipe");
    for (int i = 0; i < CLIENTS; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            die("fork");
        if (pids[i] == 0) {
            close(go[1]);
            run_client(r, at->port, count / CLIENTS, ready[1], go[0]);
        }
    }
    close(ready[1]); /* so that the end of a client that has failed is seen */
    for (int i = 0; i < CLIENTS; i++) {
        if (read(ready[0], &byte, 1) != 1)
            die("a client failed");
    }
    before = cpu_ns(at->pid);
    close(go[1]);
    for (int i = 0; i < CLIENTS; i++) {
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
            die("a client failed");
    }
    close(go[0]);
    close(ready[0]);
    return (double)(cpu_ns(at->pid) - before) / 1000.0 / (double)(count / CLIENTS * CLIENTS);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* What the lines of the report begin with. */
static const char *name_of(const row *r, char out[40])
{
    const char *what = r->resumed ? "resumed" : r->tickets ? "full" : "full, no tickets";

    (void)snprintf(out, 40, "TLS %s  %-5s  %-16s", r->tls12 ? "1.2" : "1.3", kind_names[r->kind],
                   what);
    return out;
}

static void report(row *r, int rounds)
{
    char name[40];

    qsort(r->us, (size_t)rounds, sizeof(r->us[0]), compare);
    printf("%s  min %6.1f  median %6.1f  max %6.1f us\n", name_of(r, name), r->us[0],
           r->us[rounds / 2], r->us[rounds - 1]);
}

static bool has_words(const row *r, char **words)
{
    char name[40];

    for (name_of(r, name); *words; words++) {
        if (!strstr(name, *words))
            return false;
    }
    return true;
}

static uint32_t make_rows(row rows[ROWS_MAX], bool has_nginx, char **words)
{
    uint32_t count = 0;

    for (int version = 0; version < 2; version++) {
        for (kind k = URING; k < (has_nginx ? KINDS : NGINX); k++) {
            for (int what = k == NGINX; what < 3; what++) {
                rows[count] = (row){k, version == 1, what > 0, what > 1, {0}};
                count += has_words(&rows[count], words);
            }
        }
    }
    return count;
}

static void end_server(const server *which)
{
    if (which->pid == 0)
        return;
    (void)kill(which->pid, SIGKILL);
    (void)waitpid(which->pid, NULL, 0);
}

static void remove_folder(void)
{
    static const char *const names[] = {"cert.pem", "cert.key", "nginx.conf", "nginx.pid", "a",
                                        "b",        "c",        "d",          "e",         ""};
    char path[2 * PATH];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)remove(in_folder(path, names[i]));
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 8000;
    int rounds = argc > 2 ? atoi(argv[2]) : 5;
    server servers[KINDS][2];
    static row rows[ROWS_MAX];
    uint32_t row_count;

    if (count < CLIENTS || rounds < 1 || rounds > ROUNDS_MAX)
        die("usage: resumed [COUNT [ROUNDS [WORD ...]]]");
    if (!mkdtemp(folder))
        die("no folder");
    make_certificate();
    for (int tickets = 0; tickets < 2; tickets++) {
        servers[URING][tickets] = start_ours(LR_RING_URING, tickets);
        servers[EPOLL][tickets] = start_ours(LR_RING_EPOLL, tickets);
        servers[NGINX][tickets] = tickets ? start_nginx() : (server){0, 0};
    }
    row_count = make_rows(rows, servers[NGINX][1].pid != 0, argv + (argc > 3 ? 3 : argc));
    printf(
        "server CPU per handshake, %ld per round, %d rounds, ECDSA P-256, X25519, one worker%s\n",
        count, rounds, servers[NGINX][1].pid != 0 ? "" : "; nginx is not installed");
    (void)fflush(stdout); /* before the clients are forked */
    for (int round = -1; round < rounds; round++) {
        for (uint32_t i = 0; i < row_count; i++) {
            double us = measure(&rows[i], &servers[rows[i].kind][rows[i].tickets],
                                round < 0 ? WARM_UP : count);

            if (round >= 0)
                rows[i].us[round] = us;
        }
    }
    for (uint32_t i = 0; i < row_count; i++)
        report(&rows[i], rounds);
    for (int k = 0; k < KINDS; k++) {
        end_server(&servers[k][0]);
        end_server(&servers[k][1]);
    }
    remove_folder();
    return EXIT_SUCCESS;
}
