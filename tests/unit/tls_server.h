/* SPDX-License-Identifier: MIT */
/* tls_server.h: a server of gate and engine without sockets, joined as core/run joins them, for
 * tests and fuzzers. Checks at each step what every step must keep: the engine takes no more than
 * the rest of one record, input moves forwards only, and a failure is the last thing. */
#ifndef LR_TESTS_UNIT_TLS_SERVER_H
#define LR_TESTS_UNIT_TLS_SERVER_H

#include "core/tls/engine.h"
#include "core/tls/hello.h"
#include "tls_client.h"

typedef struct tls_server tls_server;
struct tls_server {
    lr_context *context;
    lr__replica *replica;
    lr__engine *engine;
    lr__buf_pool pool;
    lr__buf out;
    lr__hello_gather gather;
    lr__hello_fault fault;
    lr__hello hello; /* the last one complete */
    lr__hello first; /* kept over a HelloRetryRequest */
    lr__gate_choice choice;
    uint8_t message[LR__RECORD_HEADER + LR__HELLO_MESSAGE_MAX];
    uint8_t first_message[LR__RECORD_HEADER + LR__HELLO_MESSAGE_MAX];
    lr_status status; /* LR_EAGAIN: handshake under way; LR_OK: secure; else it failed */
    lr_error why;
    uint32_t hello_count;
    uint32_t record_left; /* of the record that the engine is inside of, header included */
    uint8_t header_len, header[LR__RECORD_HEADER];
    uint32_t records; /* that the engine has taken whole */

    /* Behind the gate's decision: puts sessions into choice; null: there are none. What they are is
     * the test's to free, behind the server. */
    void (*decide)(tls_server *server);
    void *arg; /* of the test */

    uint64_t fail_at; /* the allocation of the server's that fails next, 0: none; counts down */
    bool fail_from;   /* and all from then on */
    uint64_t tried;   /* allocations of the server */
};

/* The context stays the caller's. */
void tls_server_init(tls_server *server, lr_context *context);
void tls_server_fini(tls_server *server);

/* One step of the handshake; *in is advanced. Nothing happens when it is over. */
void tls_server_step(tls_server *server, lr_slice *in);

/* lr__engine_read(), checked. */
lr_status tls_server_read(tls_server *server, lr_slice *in, uint8_t *out, size_t cap, size_t *len);
lr_status tls_server_write(tls_server *server, const void *bytes, size_t len);
void tls_server_end(tls_server *server);

/* Moves the server's output to the client; how many bytes it was. */
size_t tls_server_flush(tls_server *server, tls_client *client);

/* Feeds the server what the client has sent, piece bytes at a time (0: all at once), as long as the
 * handshake goes on. */
void tls_server_feed(tls_server *server, tls_client *client, size_t piece);

/* Both sides until neither moves. */
void tls_shake_hands(tls_server *server, tls_client *client, size_t piece);

/* Reads all that the client has sent; plaintext is appended to *plain. The first status that is not
 * LR_OK: LR_EAGAIN if all is well. */
lr_status tls_server_read_all(tls_server *server, tls_client *client, tls_bytes *plain);

/* Both sides in a world of their own. */
typedef struct tls_pair {
    tls_world world;
    lr_context *context;
    tls_server server;
    tls_client client;
    uint64_t live; /* allocations before */
} tls_pair;

/* Options as lr_context_new() takes them. */
lr_context_options tls_identity(const char *cert, const char *key);

void tls_pair_begin(tls_pair *pair, const lr_context_options *options, const tls_client_plan *plan);
void tls_pair_end(tls_pair *pair); /* checks that nothing has leaked */

#endif
