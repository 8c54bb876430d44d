/* SPDX-License-Identifier: MIT */
/* core/run/conn.h: one connection.
 *
 * States and what each event does in them (docs/lifecycle.md has the hooks):
 *
 *             received           sent             deadline            end()      abort(), reset
 * CONNECT     (made: OPEN)       -                failed, CLOSING     CLOSING    CLOSING
 * PREFACE     on_preface; taken: -                failed, CLOSING     CLOSING    CLOSING
 *             HELLO or OPEN;
 *             refused: CLOSING
 * HELLO       gather; complete:  -                failed, CLOSING     CLOSING    CLOSING
 *             HANDSHAKE;
 *             refused: ENDING
 * PARKED      held               -                failed, CLOSING     CLOSING    CLOSING
 *             (answered: HANDSHAKE, refused: ENDING)
 * HANDSHAKE   engine; done:      next             failed, CLOSING     CLOSING    CLOSING
 *             OPEN; failed:
 *             ENDING
 * OPEN        records, on_data;  next, on_drain   idle: ENDING, or    ENDING     CLOSING
 *             failed: ENDING                      CLOSING with a queue
 * ENDING      discarded          all: FIN, linger CLOSING             -          CLOSING
 * CLOSING     given back         -                -                   -          -
 * CLOSED      (on_close runs, then the slot is free)
 *
 * CONNECT is the first state of plain connections, accepted (OPEN right after on_open) or made;
 * PREFACE that of all connections of a listener whose options ask for it.
 *
 * Allowed moves: CONNECT -> OPEN, CLOSING; PREFACE -> HELLO, OPEN, CLOSING; HELLO -> PARKED,
 * HANDSHAKE, ENDING, CLOSING; PARKED -> HANDSHAKE, ENDING, CLOSING; HANDSHAKE -> OPEN, ENDING,
 * CLOSING; OPEN -> ENDING, CLOSING; ENDING -> CLOSING; CLOSING -> CLOSED. lr__conn_enter() alone
 * changes the state.
 *
 * Files: conn.c (life, timers, closing), conn_preface.c (bytes before TLS), conn_gate.c (hello and
 * handshake), conn_decide.c (the hooks between), conn_session.c (sessions), conn_read.c (input),
 * conn_write.c (output), conn_renegotiate.c (a handshake on an open one), conn_get.c (getters). All
 * of it belongs to the connection's worker. */
#ifndef LR_CORE_RUN_CONN_H
#define LR_CORE_RUN_CONN_H

#include "core/base/buf.h"
#include "core/base/check.h"
#include "core/base/list.h"
#include "core/base/timer.h"
#include "core/io/ring.h"
#include "core/run/ask.h"
#include "core/run/outq.h"
#include "core/run/server.h"
#include "core/run/worker.h"
#include "core/tls/engine.h"
#include "core/tls/keys.h"
#include "core/tls/peer.h"

#include <lockring/conn.h>

#include <netinet/in.h>

#define LR__CONN_STATES(X)                                                                         \
    X(CONNECT)                                                                                     \
    X(PREFACE)                                                                                     \
    X(HELLO)                                                                                       \
    X(PARKED)                                                                                      \
    X(HANDSHAKE)                                                                                   \
    X(OPEN)                                                                                        \
    X(ENDING)                                                                                      \
    X(CLOSING)                                                                                     \
    X(CLOSED)

#define LR__CONN_STATE_ENUM(name) LR__CONN_##name,
typedef enum lr__conn_state {
    LR__CONN_STATES(LR__CONN_STATE_ENUM) LR__CONN_STATE_COUNT
} lr__conn_state;
#undef LR__CONN_STATE_ENUM

enum {
    LR__QUEUE_HIGH = 256 * 1024,  /* above it the connection stops reading */
    LR__QUEUE_LOW = 64 * 1024,    /* below it it reads again and on_drain fires */
    LR__QUEUE_HARD = 1024 * 1024, /* above it lr_conn_write() takes nothing */
    LR__SEND_MAX = 65536,         /* plaintext sealed ahead for one send */
    LR__HELD_MAX = 8,             /* receive buffers held before receiving stops */
    LR__PARKED_MAX = 65536,       /* input behind a ClientHello that is not answered: early data */
    LR__LINGER_MS = 2000,         /* from our FIN on */
    LR__STALL_MS = 30000,         /* ending: without any output taken, where no idle limit is set */
    LR__LINGER_BYTES = 65536
};

/* The receive in the ring. */
typedef enum lr__conn_recv {
    LR__RECV_NONE,
    LR__RECV_ARMED,
    LR__RECV_STOPPING /* armed, and being cancelled */
} lr__conn_recv;

/* How far an ending is. */
typedef enum lr__conn_ending {
    LR__ENDING_CLEAN,   /* what is queued, then close_notify */
    LR__ENDING_ALERTED, /* a fatal alert is in the output: no close_notify after it */
    LR__ENDING_FIN      /* all is sent: lingering */
} lr__conn_ending;

/* What the gate does next (core/run/conn_decide.c). */
typedef enum lr__gate_step {
    LR__GATE_HELLO,
    LR__GATE_SNI,
    LR__GATE_NAMES,
    LR__GATE_SESSION,
    LR__GATE_OCSP,
    LR__GATE_DONE
} lr__gate_step;

/* What lives only until the handshake is done. */
typedef struct lr__conn_gate {
    lr__hello_gather gather;
    lr__buf message; /* the handshake message behind room for a record header */
    lr__gate_choice choice;
    lr__hello first; /* kept over a HelloRetryRequest; its slices point into first_message */
    lr__buf first_message;
    lr__gate_step step;
    lr__ask *ask;            /* open; the connection is PARKED */
    lr_context *context;     /* a reference; null: not chosen yet */
    lr_context *own_context; /* a reference: an adopted connection's; null: the server's counts */
    lr_bytes *staple;        /* a reference, or null */
    struct lr__sessions *sessions; /* null: nothing is resumed, and nothing will be */
    const lr__key_set *keys;       /* pinned, or null */
    uint8_t session_id[32];        /* that on_resume was asked about */
    uint32_t store_count;          /* of the next, those that are open */
    lr__ask *stores[LR__SESSIONS_MAX];
    lr_slice alpn;     /* chosen by the program, in alpn_chosen; empty: by the context's order */
    uint64_t hello_ns; /* the turn in which the first ClientHello was complete */
} lr__conn_gate;

/* What has come of a preface that is not complete. */
typedef struct lr__conn_preface {
    uint16_t len;
    uint8_t bytes[LR_PREFACE_MAX];
} lr__conn_preface;

/* Told by lr_conn_set_addresses(); family LR_FAMILY_NONE: the socket's. */
typedef struct lr__conn_told {
    lr_address remote, local;
} lr__conn_told;

/* The server name as it was sent and in its canonical form, in one block. */
typedef struct lr__conn_name {
    uint8_t raw_len, len;
    char bytes[]; /* raw, then canonical */
} lr__conn_name;

struct lr_conn {
    lr_worker *worker;
    lr__part *part;
    lr__list node;                 /* in part->conns */
    lr__list ready;                /* in worker->ready */
    lr__list flush;                /* in worker->flush */
    lr__list half_open;            /* in part->half_open, until it is secure */
    lr__timer deadline;            /* handshake, idle or linger, by state */
    uint64_t opened_ns, active_ns; /* accept; the last byte either way */
    uint64_t renegotiation_ns;     /* when the one under way began */
    uint64_t send_ns;              /* when the send in flight began */
    lr__bucket unproductive;       /* records without data */
    lr__id id;                     /* in the ring */
    uint32_t slot, generation, user_slot;
    uint32_t listener; /* the server's index of it */
    int sock;
    lr__conn_state state;

    lr__conn_recv recv;
    lr__conn_ending ending;

    bool is_tls;
    bool renegotiating;            /* OPEN: a handshake is under way */
    bool cert_requested;           /* it is the program's request for a certificate */
    uint8_t renegotiation_records; /* without data, that it has taken */
    bool send_armed;               /* sending belongs to the ring */
    bool fin_received;             /* nothing more will be received */
    bool peer_ended;               /* close_notify came; plain: the FIN was told */
    bool above_high;  /* the queue went above LR__QUEUE_HIGH and is not below LOW yet */
    bool read_paused; /* by lr_conn_pause() */
    bool write_ended; /* by lr_conn_end_write() */
    bool fin_sent;    /* OPEN, write_ended: nothing more may be sent */

    uint16_t held_first, held_last, held_count; /* worker->held */
    lr__buf parked;    /* input older than what is held, copied while the connection may not read */
    uint32_t lingered; /* bytes discarded in ENDING */
    uint32_t fragment_size_max; /* set by the program; 0: the context's, or the server's */
    lr__conn_preface *preface;  /* null: nothing has come of it, or it is over */
    lr__conn_gate *gate;
    lr__engine *engine;
    lr__replica *replica;
    lr__buf sending, sealed;          /* with the kernel; sealed and waiting */
    uint32_t own_sealed, own_sending; /* of them, what the handshake said last (tickets): it counts
                                       * for nobody's queue */
    lr__outq queue;                   /* taken from the program and not sealed yet */
    void *user;
    lr__conn_name *name;  /* null: none was sent */
    lr_slice alpn;        /* in the context, or alpn_chosen */
    char *ja4;            /* null: not kept */
    uint8_t *alpn_chosen; /* by the program, instead of by the context's order */
    lr__engine_facts facts;
    lr__peer *peer; /* null: no certificate was asked for */
    lr_conn_bytes bytes;
    const lr_error *why;        /* the first failure, a heap block or a constant; null: none */
    struct sockaddr_in6 remote; /* as it was at accept, IPv4 too; family 0: not told */
    lr__conn_told *told;        /* null: the socket's addresses are the connection's */
};

const char *lr__conn_state_name(lr__conn_state state);
bool lr__conn_may_enter(lr__conn_state from, lr__conn_state to);
void lr__conn_enter(lr_conn *c, lr__conn_state state);

/* How a connection that was not made here comes to a part. */
typedef struct lr__conn_entry {
    lr__part *part;
    uint32_t listener; /* LR_NONE: none */
    bool is_tls, has_preface;
    lr_slice head;       /* bytes that were read already */
    lr_context *context; /* in place of the server's; null: the server's */
} lr__conn_entry;

/* A socket that was accepted from one of the part's listeners; closes it if there is no room. */
void lr__conn_open(const struct lr__listener *listener, int sock);
/* One that the program had. LR_ESOURCE, LR_ECONNECTIONS, LR_ENOMEM: it is still the caller's. */
lr_status lr__conn_adopt(const lr__conn_entry *entry, int sock, lr_conn **out);
/* A connection that is being made; the socket is its from here on. Null: no memory, and the socket
 * is closed. */
lr_conn *lr__conn_make(lr__part *part, int sock, const struct sockaddr_storage *address,
                       socklen_t len);

/* Events. */
void lr__conn_on_recv(lr_conn *c, const lr__completion *completion);
void lr__conn_on_sent(lr_conn *c, const lr__completion *completion);
void lr__conn_on_connected(lr_conn *c, const lr__completion *completion);
void lr__conn_on_closed(lr_conn *c);
void lr__conn_advance(lr_conn *c); /* once per turn while it is on worker->ready */
void lr__conn_flush(lr_conn *c);   /* once per turn while it is on worker->flush */
void lr__conn_on_server_drain(lr_conn *c);

/* Failure found here or told by the peer. The first reason wins. linger: what is in the output (an
 * alert) is sent and the peer may read it; else the socket is closed at once. */
void lr__conn_fail(lr_conn *c, const lr_error *why, bool linger);
void lr__conn_fail_as(lr_conn *c, lr_status status, const char *what); /* does not linger */
void lr__conn_close(lr_conn *c, bool reset);                           /* enters CLOSING */

/* Shared by the files of the connection. */
bool lr__conn_is_over(const lr_conn *c); /* CLOSING or CLOSED */
bool lr__conn_may_read(const lr_conn *c);
void lr__conn_enter_open(lr_conn *c); /* on_secure, and on_server_drain if the server drains */
void lr__conn_recv_start(lr_conn *c);
/* Whom limits of sources count: the client that a preface has told, else the peer. */
void lr__conn_source(const lr_conn *c, struct sockaddr_in6 *out);
void lr__conn_begin_preface(lr_conn *c);
void lr__conn_take_preface(lr_conn *c, lr_slice *in);
void lr__conn_take_hello(lr_conn *c, lr_slice *in);     /* HELLO, and after a HelloRetryRequest */
void lr__conn_take_handshake(lr_conn *c, lr_slice *in); /* one record */
/* A record without data was part of a renegotiation. False: the connection failed. */
bool lr__conn_take_renegotiation(lr_conn *c);
void lr__conn_decide(lr_conn *c);          /* goes on with gate->step */
void lr__conn_begin_handshake(lr_conn *c); /* all is decided */
void lr__conn_on_answer(lr__ask *ask);     /* owns it */
void lr__conn_cancel_asks(lr_conn *c);     /* harmless if there is none */
/* Null: there is no memory, and the connection has failed. */
lr__ask *lr__conn_open_ask(lr_conn *c, lr__ask_kind kind);
bool lr__conn_get_replica(lr_conn *c);      /* of the gate's context; false: it has failed */
void lr__conn_finish_handshake(lr_conn *c); /* enters OPEN */
/* Sessions (core/run/conn_session.c). */
bool lr__conn_stores(const lr_conn *c);     /* the program has a store */
bool lr__conn_is_storing(const lr_conn *c); /* it has not answered yet: no byte moves */
void lr__conn_pin_keys(lr_conn *c);         /* of this moment, for the whole handshake (S57) */
bool lr__conn_begin_sessions(lr_conn *c);   /* false: it has failed */
bool lr__conn_ask_session(lr_conn *c);      /* true: asked, and the answer goes on */
bool lr__conn_take_session(lr_conn *c, lr_slice value);   /* false: it has failed */
bool lr__conn_store_sessions(lr_conn *c);                 /* true: asked, or it is over */
bool lr__conn_take_store(lr_conn *c, const lr__ask *ask); /* true: it was one of these */
void lr__conn_end_sessions(lr_conn *c);
void lr__conn_refuse(lr_conn *c, const lr__hello_fault *fault);
void lr__conn_fail_memory(lr_conn *c); /* in the handshake */
void lr__conn_mark_queue(lr_conn *c);  /* after output was added: is it above the high mark? */
void lr__conn_schedule_ready(lr_conn *c);
void lr__conn_schedule_flush(lr_conn *c);
void lr__conn_drop_held(lr_conn *c);
void lr__conn_gate_free(lr_conn *c);
void lr__conn_end_because(lr_conn *c, const lr_error *why);            /* OPEN; politely */
void lr__conn_begin_end(lr_conn *c);                                   /* enters ENDING */
void lr__conn_arm_deadline(lr_conn *c, uint64_t from_ns, uint32_t ms); /* LR_NONE: cancels */

#endif
