/* SPDX-License-Identifier: MIT */
/* client.h: clients of the live tests: TCP by hand, and TLS by OpenSSL.
 *
 * All calls may run on any thread, one thread per object. A call that fails returns false and, for
 * a tls_client, leaves the reason in why. Sockets block, and give up after LIVE_GUARD_S. */
#ifndef LR_TESTS_LIVE_CLIENT_H
#define LR_TESTS_LIVE_CLIENT_H

#include "support.h"

#include <openssl/ssl.h>

/* TCP. host: null is 127.0.0.1. -1: refused, errno says why. */
int tcp_connect(const char *host, uint16_t port);
/* A connection to 127.0.0.1 is reset, without a byte: after connect(), or so soon that connect()
 * itself tells it. */
bool tcp_is_reset(uint16_t port);
bool tcp_send(int sock, const void *bytes, size_t len);
bool tcp_read(int sock, void *out, size_t len); /* exactly so many */
bool tcp_peek(int sock, uint8_t *first);        /* waits for a byte, and leaves it there */
/* Reads until the peer ends. 0: it sent FIN; else the errno, ECONNRESET for an RST. */
int tcp_read_to_end(int sock, void *out, size_t cap, size_t *len);
void tcp_reset(int sock); /* closes it with an RST */
/* Waits until the other side, in this machine, has read all that was sent on sock. */
bool tcp_wait_taken(int sock);

/* What a connection sends: bytes that depend on a seed and their place alone. */
void pattern_fill(uint64_t seed, uint64_t at, void *out, size_t len);
bool pattern_fits(uint64_t seed, uint64_t at, const void *bytes, size_t len);

/* A repeatable sequence. The seed is all of its state. */
uint64_t random_next(uint64_t *seed);
uint64_t random_below(uint64_t *seed, uint64_t limit);

/* The sessions of a client, and what it saw of its handshakes. */
typedef struct tls_keeper {
    SSL_SESSION *offer; /* to resume; null: none. Borrowed */
    SSL_SESSION *sessions[16];
    uint32_t count;
    uint32_t certificates; /* Certificate messages of the server: a full handshake has one */
} tls_keeper;

void tls_keeper_clear(tls_keeper *keeper); /* forgets all but offer */

/* Zero is OpenSSL's default everywhere. */
typedef struct tls_plan {
    int version;         /* TLS1_2_VERSION or TLS1_3_VERSION and no other */
    const char *groups;  /* "P-521:X25519"; the first gets the key share */
    const char *alpn;    /* wire form, "\2h2" */
    bool verify;         /* and fail: nobody signed the server's certificate */
    bool ocsp;           /* asks for a staple */
    const char *sigalgs; /* "RSA-PSS+SHA256" */
    bool no_ticket;      /* takes none */
    tls_keeper *keep;    /* gets the sessions; must live as long as the SSL_CTX */
} tls_plan;

SSL_CTX *tls_ctx_new(const tls_plan *plan); /* null: OpenSSL does not like it */

typedef struct tls_client {
    SSL_CTX *ctx;
    SSL *ssl;
    int sock;
    bool reset; /* a call found that the peer had reset the connection */
    char why[200];
} tls_client;

/* On the thread of the tests: fails the test with the client's reason. */
#define TLS_MUST(t, call)                                                                          \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, (t)->why);                                                   \
    } while (0)

/* How the stream of a client ended. */
typedef enum tls_end {
    TLS_END_NOTIFY,    /* close_notify */
    TLS_END_TRUNCATED, /* FIN without it */
    TLS_END_RESET,
    TLS_END_OTHER /* an alert, a bad record: see why */
} tls_end;

/* Connects; takes a reference of ctx. name: server name to ask for, null: none. */
bool tls_connect(tls_client *t, SSL_CTX *ctx, const char *host, uint16_t port, const char *name);
bool tls_handshake(tls_client *t);
/* Goes on with the handshake, and reads for as long as something comes within wait_ms. 1: it is
 * done, 0: it waits for the server, -1: it failed. */
int tls_handshake_step(tls_client *t, int wait_ms);
/* The fatal alert that ended a call, -1: none did. */
int tls_alert_of(const tls_client *t);
/* Writes the first flight, a ClientHello in its record, to out instead of sending it; the caller
 * sends it as it likes, then calls tls_handshake(). 0: failed. */
size_t tls_first_flight(tls_client *t, uint8_t *out, size_t cap);
/* All at once: own SSL_CTX, 127.0.0.1, connected and secure. */
bool tls_open(tls_client *t, uint16_t port, const tls_plan *plan);
bool tls_write(tls_client *t, const void *bytes, size_t len);
bool tls_read(tls_client *t, void *out, size_t len); /* exactly so many */
tls_end tls_read_end(tls_client *t);                 /* no data may come before it */
tls_end tls_skip_to_end(tls_client *t, size_t *len); /* data may: how much of it came */
bool tls_end_write(tls_client *t);                   /* close_notify, TCP stays open */
/* Sends total bytes of the pattern in chunks of random size and reads them back, both at once. */
bool tls_transfer(tls_client *t, uint64_t seed, size_t total);
void tls_close(tls_client *t, bool reset); /* FIN or RST, frees; may be called on a closed one */

/* Runs fn on count threads with indices from 0; true if all said true. why: of the first that
 * failed. */
typedef bool (*client_fn)(uint32_t index, void *arg, char *why, size_t cap);
bool clients_run(uint32_t count, client_fn fn, void *arg, char *why, size_t cap);

#endif
