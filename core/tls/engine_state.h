/* SPDX-License-Identifier: MIT */
/* core/tls/engine_state.h: what an engine is made of; for engine.c and engine_again.c alone. */
#ifndef LR_CORE_TLS_ENGINE_STATE_H
#define LR_CORE_TLS_ENGINE_STATE_H

#include "core/base/window.h"
#include "core/tls/engine.h"
#include "core/tls/peer.h"
#include "core/tls/wolf.h"

enum {
    LR__RECORD_ALERT = 21,
    LR__RECORD_HANDSHAKE = 22,
    LR__RECORD_DATA = 23,
    LR__MESSAGE_SERVER_HELLO = 2,
    LR__RECORD_MAX = 16384 + 2048 /* RFC 5246 6.2.3 */
};

/* What lives until the handshake is done. */
typedef struct lr__engine_once {
    lr_bytes *staple; /* a reference, or null */
    bool is_asked;
    lr__asking asking;
} lr__engine_once;

/* What handshakes behind the handshake need, from the first one on. */
typedef struct lr__engine_again {
    lr__renegotiation phase;
    bool began;    /* wolfSSL has the ClientHello */
    bool replied;  /* and has answered it */
    bool ticketed; /* the next flight begins with a ticket */
    bool refused;  /* it was one too many */
    lr__window window;
    uint64_t at_ns[]; /* of the window, as many as the context's limit */
} lr__engine_again;

struct lr__engine {
    WOLFSSL *ssl;
    lr__replica *replica;
    const uint64_t *now_ns;  /* monotonic; null: no renegotiation is taken */
    lr__engine_again *again; /* null: none has begun */
    lr_slice in;             /* what is left of the caller's input during a call */
    lr__buf *out;
    lr__buf_pool *pool;
    lr__engine_once *once;         /* null: neither is needed */
    struct lr__sessions *sessions; /* the gate's; null: none, or the handshake is over */
    uint32_t out_before;           /* bytes that waited in out when this call began */
    uint32_t record_left; /* body bytes of the current record that wolfSSL has not asked for yet */
    uint8_t header[LR__RECORD_HEADER]; /* of the last record; its type stays after its end */
    uint8_t header_len;                /* header bytes of the current record handed out */
    uint8_t new_keys;                  /* key changes less answers in this call */
    bool key_update;                   /* this call took one */
    bool key_answer;                   /* and it answers ours */
    bool keys_asked;                   /* an answer to ours is awaited */
    bool asks;                         /* TLS 1.2: renegotiations ask, as the program did once */
    bool asked;                        /* TLS 1.3: the program has asked for the certificate */
    bool is_empty;                     /* the last record has no body: it is refused */
    bool record_taken;                 /* this call has handed out a record's end */
    bool out_failed;                   /* there was no memory for output */
    bool hello_retry;                  /* a HelloRetryRequest is out and its answer not yet in */
    bool done;                         /* the handshake */
    bool ended;                        /* close_notify is out */
};

/* engine.c */
lr_status lr__engine_begin_once(lr__engine *engine, lr__replica *replica,
                                const lr__gate_choice *choice, lr_error *err);
void lr__engine_end_once(lr__engine *engine);
/* Around each call of wolfSSL; the latter returns what it has left of the input. */
void lr__engine_begin_call(lr__engine *engine, lr_slice in);
lr_slice lr__engine_end_call(lr__engine *engine);
/* The failure of the last wolfSSL call, told and answered. */
lr_status lr__engine_fail(lr__engine *engine, int native, lr_error *err, const char *what);
bool lr__engine_is_peer_sound(const lr__engine *engine);

/* engine_again.c, in the order in which a record meets them. */
bool lr__engine_begins_renegotiation(const lr__engine *engine);
bool lr__engine_admit_renegotiation(lr__engine *engine);
bool lr__engine_is_second_reply(lr__engine *engine, const char *from);
int lr__engine_read_record(lr__engine *engine, uint8_t *out, int cap);
/* Behind that, where one is under way. False: something stands between the client's messages. */
bool lr__engine_move_renegotiation(lr__engine *engine, int ret);
/* Has the client answered the program's request by no_renegotiation? */
bool lr__engine_is_turned_down(lr__engine *engine);
lr_status lr__engine_fail_renegotiation(lr__engine *engine, lr_error *err);

#endif
