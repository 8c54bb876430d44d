/* SPDX-License-Identifier: MIT */
/* store.h: a store of sessions for the live tests, behind on_resume and on_new_session, and clients
 * that come back.
 *
 * Each call of the two hooks is noted in the recorder's events, "resume" and "new_session", a
 * cancelled ask as "cancelled:resume" or "cancelled:new_session"; then the test's own function
 * answers, or does not. */
#ifndef LR_TESTS_LIVE_STORE_H
#define LR_TESTS_LIVE_STORE_H

#include "client.h"

typedef enum store_hook { STORE_RESUME, STORE_NEW } store_hook;

enum {
    STORE_ON_RESUME = 1 << STORE_RESUME,
    STORE_ON_NEW = 1 << STORE_NEW,
    STORE_BOTH = STORE_ON_RESUME | STORE_ON_NEW,
    STORE_ROWS = 64,
    STORE_ASKS = 16
};

/* What a hook was given; id and value end with it. */
typedef struct store_ask {
    store_hook hook;
    lr_ask ask;
    lr_slice id, value;
} store_ask;

typedef struct store_row {
    uint8_t id[32];
    lr_bytes *value;
} store_row;

struct store;
typedef void (*store_fn)(struct store *s, lr_conn *c, const store_ask *ask);

typedef struct store {
    live_recorder recorder; /* first: the server's user is it */
    /* Inside the hook, behind its note. Null: store_serve(). */
    _Atomic(store_fn) fn;
    void *_Atomic arg; /* of the test */
    bool once;         /* what is given is deleted */

    pthread_mutex_t mutex; /* of the rest */
    store_row rows[STORE_ROWS];
    uint32_t row_count;
    lr_ask asks[STORE_ASKS]; /* since store_forget_asks(), in their order */
    store_hook kinds[STORE_ASKS];
    uint32_t ask_count;
} store;

void store_init(store *s);
void store_fini(store *s);
lr_handlers store_handlers(unsigned hooks); /* STORE_ON_* and on_ask_cancelled */

/* What the store does by itself: keeps new sessions, gives what it has; answers. */
void store_serve(store *s, lr_conn *c, const store_ask *ask);
void store_put(store *s, lr_slice id, lr_slice value);
lr_bytes *store_get(store *s, lr_slice id); /* a reference, or null */
uint32_t store_count(store *s);
void store_empty(store *s);

lr_ask store_asked(store *s, uint32_t index);
void store_forget_asks(store *s);
lr_status store_answer(store_hook hook, lr_ask ask, lr_status result, lr_bytes *value);

/* A client that comes, sends "ping", reads it back and ends, and nobody is left of it. Its
 * handshake is resumed, or is not, on both sides; keeper gets its sessions. events: null, or what
 * the hooks must have been. The recorder's events are empty behind it. */
void store_visit(const live *l, store *s, const tls_plan *plan, bool resumed, const char *events);
/* The worker that had it. */
uint32_t store_visit_worker(const live *l, store *s, const tls_plan *plan, bool resumed);

/* What the server sent for a session: its id in TLS 1.2, its ticket. */
lr_slice store_ticket_of(const SSL_SESSION *session);

#endif
