/* SPDX-License-Identifier: MIT */
/* core/run/ask.h: questions to the program that may be answered later, from any thread.
 *
 * An ask is a slot of its worker, found by a token {worker, slot, generation}. Its claim word holds
 * the generation and a state, and only it crosses threads before the answer does:
 *
 *     FREE -open-> OPEN -claim (any thread)-> TAKEN -mailbox-> the worker -> FREE
 *                   |--cancel (the worker)-> FREE
 *
 * Whoever moves it out of OPEN has it: an answer fills the slot and posts it, which allocates
 * nothing; a connection that ends first cancels. So exactly one answer counts, and a token of an
 * earlier use never fits. Slots are never given back to the heap while the worker exists, because a
 * stale token may look at any of them at any time.
 *
 * Threads: lr__ask_claim() and lr__ask_post() any; the rest the worker. */
#ifndef LR_CORE_RUN_ASK_H
#define LR_CORE_RUN_ASK_H

#include "core/base/mailbox.h"

#include <lockring/conn.h>
#include <lockring/hello.h>

#include <stdatomic.h>

enum {
    LR__ASKS_CHUNK = 64,
    LR__ASKS_CHUNKS = 1024,
    LR__ASK_FREE = 0,
    LR__ASK_OPEN = 1,
    LR__ASK_TAKEN = 2
};

typedef enum lr__ask_kind {
    LR__ASK_HELLO = 1,
    LR__ASK_SNI = 2,
    LR__ASK_OCSP = 3,
    LR__ASK_RESUME = 4,
    LR__ASK_STORE = 5
} lr__ask_kind;

typedef struct lr__ask {
    lr__message message;
    _Atomic uint64_t claim; /* kind:8 | generation:32 | state:8; see above */
    lr_worker *worker;
    uint32_t slot, generation;
    uint32_t next_free; /* UINT32_MAX: the last */
    lr__ask_kind kind;
    lr_conn_id conn;

    /* The answer, written by who has claimed it, read by the worker behind the mailbox. */
    lr_status result;
    lr_context *context;
    lr_bytes *bytes;
    uint8_t alpn_len;
    uint8_t alpn[255];
} lr__ask;

/* Part of a worker. */
typedef struct lr__asks {
    _Atomic(lr__ask *) chunks[LR__ASKS_CHUNKS]; /* written by the worker, never taken back before
                                                 * its end; any thread reads (release, acquire) */
    uint32_t slot_end, first_free;
    uint32_t open; /* or taken and not yet delivered */
} lr__asks;

void lr__asks_init(lr__asks *asks);
void lr__asks_fini(lr__asks *asks); /* at lr_workers_free() */

/* Null: no memory, or 65,536 are open on this worker. */
lr__ask *lr__ask_open(lr_worker *w, lr_conn_id conn, lr__ask_kind kind);
lr_ask lr__ask_token(const lr__ask *ask);
/* The connection has gone. True: nobody had answered, and the slot is free. False: an answer is on
 * its way and will find nobody. */
bool lr__ask_cancel(lr__ask *ask);
/* Gives the slot back behind its delivery; what the answer holds is released if it is still there.
 */
void lr__ask_close(lr__ask *ask);

/* The one that may fill in the answer, or null: the token is stale. Then lr__ask_post(). */
lr__ask *lr__ask_claim(lr_ask token, lr__ask_kind kind);
lr_status lr__ask_post(lr__ask *ask);

#endif
