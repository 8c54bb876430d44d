/* SPDX-License-Identifier: MIT */
/* tls_client.h: wolfSSL as an in-process client over two memory buffers, for tests.
 *
 * What the client receives is put into in, what it sends is found in out. All randomness, the
 * client's included, comes from the world that the test enters, so a run repeats. */
#ifndef LR_TESTS_UNIT_TLS_CLIENT_H
#define LR_TESTS_UNIT_TLS_CLIENT_H

#include "core/base/current.h"
#include "core/tls/rand.h"
#include "core/tls/wolf.h"

#include <lockring/context.h>

/* A fixed clock (1 July 2026) and seeds that come from a counter. */
typedef struct tls_world {
    lr__current current;
    lr__rand rand;
    uint64_t seed;
    uint32_t seeds_given;
    bool seeds_fail;
    int64_t wall_ms;
} tls_world;

void tls_world_enter(tls_world *world, uint64_t seed);
void tls_world_leave(tls_world *world);

typedef struct tls_bytes {
    uint8_t *bytes;
    size_t len, cap;
} tls_bytes;

void tls_bytes_add(tls_bytes *to, const void *bytes, size_t len);
void tls_bytes_drop(tls_bytes *from, size_t len); /* at the front */
void tls_bytes_free(tls_bytes *bytes);

/* Zero is the default noted. Lists of groups end with a zero. */
typedef struct tls_client_plan {
    lr_tls_version version_min, version_max; /* 1.2 and 1.3 */
    const char *name;                        /* server name; none */
    const char *alpn;                        /* "h2,http/1.1"; none */
    const char *suites;                      /* wolfSSL's names; its own list */
    lr_slice sigalgs;                        /* signature_algorithms; its own list */
    const uint16_t *groups;                  /* X25519, P-256 */
    const uint16_t *shares;                  /* wolfSSL's choice; an empty list: no key share */
    uint8_t max_fragment;                    /* RFC 6066 4: 1..4; none */
    const char *trust;                       /* PEM; anything is accepted */
    const char *verify_name;                 /* checked in the certificate; nothing is */
    bool renegotiation;                      /* RFC 5746, and the client may begin one */
    bool ticket;                             /* asks for tickets of RFC 5077 */
    bool spoil_finished;                     /* its Finished is wrong */
    WOLFSSL_SESSION *session;                /* offered for resumption; none */
} tls_client_plan;

typedef struct tls_client {
    WOLFSSL_CTX *ctx;
    WOLFSSL *ssl;
    tls_bytes in, out;
    bool spoil_finished;
    void (*before_send)(struct tls_client *client); /* of each record; none */
    bool done;                                      /* handshake */
    int failure;                                    /* wolfSSL's number, 0 as long as all is well */
} tls_client;

void tls_client_init(tls_client *client, const tls_client_plan *plan);
void tls_client_fini(tls_client *client);

/* Goes on with the handshake as far as the input allows. */
void tls_client_step(tls_client *client);

/* Reads one record's plaintext; 0: none is there, or the stream is over. */
size_t tls_client_read(tls_client *client, uint8_t *out, size_t cap);
void tls_client_write(tls_client *client, const void *bytes, size_t len);
void tls_client_update_keys(tls_client *client, bool ask_back);
void tls_client_close(tls_client *client); /* close_notify */
void tls_client_alert(tls_client *client, int level, int alert);

/* Seals any content as one record of any type under the client's current keys. */
void tls_client_seal(tls_client *client, uint8_t type, const void *bytes, size_t len);

/* Takes in what has come; the last alert that the server sent, -1 if none. */
int tls_client_alert_seen(tls_client *client);

/* Records in a stream of bytes: lengths with headers; 0 where the stream ends inside one. */
size_t tls_record_size(const uint8_t *bytes, size_t len);
uint32_t tls_record_count(const tls_bytes *stream);

#endif
