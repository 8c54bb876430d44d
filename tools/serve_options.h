/* SPDX-License-Identifier: MIT */
/* tools/serve_options.h: the command line of lockring-serve. */
#ifndef LR_TOOLS_SERVE_OPTIONS_H
#define LR_TOOLS_SERVE_OPTIONS_H

#include <lockring/lockring.h>

/* What lockring-serve ends with. */
enum {
    SERVE_EXIT_OK = 0,
    SERVE_EXIT_FAILED = 1,  /* the system refuses something: a port in use, no memory */
    SERVE_EXIT_OPTION = 2,  /* a wrong option or file */
    SERVE_EXIT_NO_RING = 3, /* neither io_uring nor epoll, or not the one that was asked for */
    SERVE_GO_ON = -1        /* not an exit: serve */
};

enum {
    SERVE_LISTEN_MAX = 64,
    SERVE_HOST_MAX = 255,
    SERVE_PATH_MAX = 107,
    SERVE_PAIRS_MAX = 8,
    SERVE_CRLS_MAX = 64,
    SERVE_NAMES_MAX = 1024,
    SERVE_SENDERS_MAX = 64
};

typedef enum serve_handler { SERVE_HTTP, SERVE_ECHO, SERVE_DISCARD } serve_handler;

typedef struct serve_listen {
    const char *text;              /* as given */
    char host[SERVE_HOST_MAX + 1]; /* empty: every address */
    uint16_t port;
    const char *path; /* of a unix socket; null: host and port */
} serve_listen;

/* NAME=CERT,KEY[,CA]; the strings are pieces of one block, pattern is its begin. */
typedef struct serve_name {
    const char *pattern, *cert_file, *key_file, *ca_file; /* ca_file may be null */
} serve_name;

/* Strings belong to argv. A zero is the library's default, where not said otherwise. */
typedef struct serve_options {
    serve_listen listen[SERVE_LISTEN_MAX];
    uint32_t listen_count;
    uint32_t worker_count;
    lr_toggle pin;
    lr_ring_choice ring;
    bool share_port;
    const char *cert_files[SERVE_PAIRS_MAX], *key_files[SERVE_PAIRS_MAX]; /* in pairs */
    uint32_t cert_count, key_count;
    const char *ocsp_files[SERVE_PAIRS_MAX]; /* of the pairs, in their order; "-": none */
    uint32_t ocsp_count;
    bool ocsp;                   /* ask the responders of the certificates */
    const char *passphrase_file; /* of every key that is encrypted */
    const char *pkcs12_file;     /* instead of pairs and ca_file */
    const char *ca_file;
    const char *crl_files[SERVE_CRLS_MAX];
    uint32_t crl_count;
    bool request_cert, require_cert;
    lr_profile profile;
    serve_name names[SERVE_NAMES_MAX];
    uint32_t name_count;
    lr_tls_version version_min, version_max;
    const char *groups, *alpn, *ciphers;
    serve_handler handler;
    const char *root, *access_log; /* of the http handler; null: none */
    uint32_t fragment_size_max;
    uint32_t handshake_timeout_ms;
    uint32_t idle_timeout_ms;
    uint32_t drain_timeout_ms; /* 0: cut at once */
    uint32_t connection_count_max, half_open_max;
    uint32_t write_timeout_ms, lifetime_ms; /* 0: none */
    uint32_t source_connections_per_s, source_connections_burst;
    uint32_t source_handshakes_per_s, source_handshakes_burst;
    uint32_t renegotiation_count, renegotiation_window_s;
    const char *ticket_keys; /* a file or a directory; null: the workers draw their own */
    bool ticket_keys_haproxy, no_tickets;
    uint32_t ticket_lifetime_s, ticket_rotation_s, ticket_count;
    uint32_t stall_threshold_ms;
    const char *stats;                            /* address of the stats listener; null: none */
    const char *proxy_senders[SERVE_SENDERS_MAX]; /* whose PROXY header is demanded and believed */
    uint32_t proxy_sender_count;
    bool check_config;
    lr_log_level log_level;
} serve_options;

/* Reads the command line. SERVE_GO_ON: *out says what to do. SERVE_EXIT_OK: --help or --version,
 * which it has answered on standard output. SERVE_EXIT_OPTION: it has said on standard error, in
 * one line, which option is wrong. */
int serve_options_parse(serve_options *out, int argc, char **argv);
/* Frees the copies in it, whatever the verdict was. */
void serve_options_fini(serve_options *options);

#endif
