/* SPDX-License-Identifier: MIT */
/* core/run/key_store.h: the ticket keys of a set of workers (design.md 7).
 *
 * A set of keys is immutable. The store points to the current set; each worker announces the one
 * that it uses and changes it between turns, first thing after it has slept (lr__key_store_adopt).
 * A handshake pins the set at its gate and uses that one until its end, however many come after it;
 * pins are counted in the set, a count per worker on a line of its own. A set that is not current,
 * that no worker announces and on which no pin is left is wiped and freed by whoever finds out: a
 * worker announces a set and then looks again whether it is still current, so such a set is used by
 * nobody (a hazard pointer, as in publish.h).
 *
 * Threads  Pinning, adopting, entering and leaving belong to the thread that has the place;
 *          everything else may be called by any thread. A mutex excludes publishers; who has a
 *          place only tries it, unless it publishes itself. Nothing is written that another place
 *          reads in its turn, but at a publication. */
#ifndef LR_CORE_RUN_KEY_STORE_H
#define LR_CORE_RUN_KEY_STORE_H

#include "core/base/log.h"
#include "core/tls/keys.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LR__KEY_LINE = 64 /* bytes of a cache line */ };

typedef struct lr__key_pins {
    _Alignas(LR__KEY_LINE) _Atomic uint32_t count; /* written by one place's thread */
} lr__key_pins;

/* A set as it is published. */
typedef struct lr__published_keys {
    lr__key_set set; /* first: a pin is a pointer to it */
    uint64_t generation;
    struct lr__published_keys *next_old; /* in the store's list */
    lr__key_pins pins[];                 /* by place */
} lr__published_keys;

/* Of one worker. */
typedef struct lr__key_place {
    _Alignas(LR__KEY_LINE) _Atomic(lr__published_keys *) in_use; /* null: it has no thread */
} lr__key_place;

typedef struct lr__key_store_options {
    uint32_t place_count;
    const lr__log *log; /* borrowed */
} lr__key_store_options;

typedef struct lr__key_store {
    _Atomic(lr__published_keys *) current; /* swapped under lock; null: no keys drawn yet */
    uint32_t place_count;
    lr__key_place *places;
    const lr__log *log;
    pthread_mutex_t lock; /* guards what follows */
    uint64_t generation;  /* of the current set; 0: none yet */
    lr__published_keys *old;
} lr__key_store;

lr__key_store *lr__key_store_new(const lr__key_store_options *options); /* null: out of memory */
void lr__key_store_free(lr__key_store *store); /* no place in use; null is allowed */

/* The thread of a place begins and ends. The first to enter draws the keys, so that they come from
 * its world's generator, unless somebody asked for them before. LR_ERANDOM, LR_ENOMEM. */
lr_status lr__key_store_enter(lr__key_store *store, uint32_t place, lr_error *err);
void lr__key_store_leave(lr__key_store *store, uint32_t place);

/* Between turns: takes the current set into use. */
void lr__key_store_adopt(lr__key_store *store, uint32_t place);

/* Null: the place has not been entered. */
const lr__key_set *lr__key_store_pin(lr__key_store *store, uint32_t place);
void lr__key_store_unpin(lr__key_store *store, uint32_t place, const lr__key_set *set);

/* A worker's, by its index. The set of this turn, kept until it is given back, in a later turn or
 * this one; null: there are no keys, and then there are no tickets. */
struct lr_worker;
const lr__key_set *lr__keys_pin(struct lr_worker *w);
void lr__keys_unpin(struct lr_worker *w, const lr__key_set *set); /* null is allowed */

#endif
