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
 * No key seals anywhere before every worker accepts it. A rotation makes the next key current,
 * which all have had since the rotation before, and draws a new next one. Keys that are given go in
 * two sets: one that accepts them while the old key seals, and when all workers have announced it,
 * one in which the new key seals; it waits, made and complete, for the last worker to come. Nobody
 * blocks for that: the last one publishes it, or after LR__KEY_SETTLE_NS whoever notices, although
 * a worker stalls. That worker's misses are full handshakes.
 *
 * A worker whose adoption, pin or timer found the lock taken leaves a note (untended); who has the
 * lock looks once more after it. Time is a parameter, ns of the workers' monotonic clock; it is
 * needed only while some place is in use.
 *
 * Threads  Pinning, adopting, entering and leaving belong to the thread that has the place;
 *          everything else may be called by any thread. A mutex excludes publishers; who has a
 *          place only tries it, unless it publishes itself. Nothing is written that another place
 *          reads in its turn, but at a publication. Those that return bool say whether a set was
 *          published: wake every worker then. */
#ifndef LR_CORE_RUN_KEY_STORE_H
#define LR_CORE_RUN_KEY_STORE_H

#include "core/base/log.h"
#include "core/tls/keys.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    LR__KEY_LINE = 64,             /* bytes of a cache line */
    LR__KEY_SETTLE_NS = 1000000000 /* how long workers are waited for */
};
#define LR__KEY_NEVER UINT64_MAX

typedef struct lr__key_pins {
    _Alignas(LR__KEY_LINE) _Atomic uint32_t count; /* written by one place's thread */
} lr__key_pins;

/* A set as it is published. */
typedef struct lr__published_keys {
    lr__key_set set; /* first: a pin is a pointer to it */
    uint64_t generation;
    uint64_t since[LR_TICKET_KEYS_MAX];  /* by index: the generation that had the key first */
    uint64_t settled_ns;                 /* from then on nobody waits for those that have it not */
    uint64_t rotate_ns;                  /* when the schedule replaces it */
    struct lr__published_keys *next_old; /* in the store's list */
    lr__key_pins pins[];                 /* by place */
} lr__published_keys;

/* Of one worker. */
typedef struct lr__key_place {
    _Alignas(LR__KEY_LINE) _Atomic(lr__published_keys *) in_use; /* null: it has no thread */
    _Atomic uint64_t accepted; /* the generation of the set in use, once that is sure */
} lr__key_place;

typedef struct lr__key_store_options {
    uint32_t place_count;
    uint64_t period_ns; /* of the schedule; LR__KEY_NEVER: none */
    uint64_t keep_ns;   /* how long a retired key opens */
    const lr__log *log; /* borrowed */
} lr__key_store_options;

typedef struct lr__key_store {
    _Alignas(LR__KEY_LINE) _Atomic(lr__published_keys *) current; /* null: no keys yet */
    lr__key_place *places;
    lr__key_store_options options;
    _Alignas(LR__KEY_LINE) _Atomic bool untended; /* somebody found the lock taken */
    pthread_mutex_t lock;                         /* guards what follows */
    uint64_t generation;                          /* of the current set; 0: none yet */
    uint64_t now_ns;                              /* the latest that was heard of */
    uint64_t retry_ns;                            /* after a failure: not before */
    lr__published_keys *old;                      /* not yet freed */
    lr__published_keys *waiting;                  /* published when all accept its current key */
    uint64_t waiting_for;                         /* the generation that has it */
    bool begun;                                   /* a place has been entered: there is time */
    bool given;                                   /* keys were given: no schedule */
} lr__key_store;

lr__key_store *lr__key_store_new(const lr__key_store_options *options); /* null: out of memory */
void lr__key_store_free(lr__key_store *store); /* no place in use; null is allowed */

/* The thread of a place begins and ends. The first to enter draws the keys, so that they come from
 * its world's generator, unless somebody asked for them before. LR_ERANDOM, LR_ENOMEM. */
lr_status lr__key_store_enter(lr__key_store *store, uint32_t place, uint64_t now_ns, lr_error *err);
bool lr__key_store_leave(lr__key_store *store, uint32_t place);

/* Between turns: is there another set than the one in use? Then take it into use. */
bool lr__key_store_has_news(const lr__key_store *store, uint32_t place);
bool lr__key_store_adopt(lr__key_store *store, uint32_t place, uint64_t now_ns);

/* Does what is due, and when to do so next: an idle store rotates and forgets too. */
bool lr__key_store_tend(lr__key_store *store, uint64_t now_ns);
uint64_t lr__key_store_next(const lr__key_store *store, uint32_t place, uint64_t now_ns);

/* Null: the place has not been entered. */
const lr__key_set *lr__key_store_pin(lr__key_store *store, uint32_t place);
bool lr__key_store_unpin(lr__key_store *store, uint32_t place, const lr__key_set *set);

/* now_ns is 0 where no place is in use. *published as above. After a failure all is as before. */
lr_status lr__key_store_give(lr__key_store *store, const lr_ticket_keys *keys, uint64_t now_ns,
                             bool *published, lr_error *err);
lr_status lr__key_store_rotate(lr__key_store *store, uint64_t now_ns, bool *published,
                               lr_error *err);
/* The keys of the set that seals, or is about to. */
lr_status lr__key_store_copy(lr__key_store *store, lr_ticket_keys *out, lr_error *err);

/* A worker's, by its index. The set of this turn, kept until it is given back, in a later turn or
 * this one; null: there are no keys, and then there are no tickets. */
struct lr_worker;
const lr__key_set *lr__keys_pin(struct lr_worker *w);
void lr__keys_unpin(struct lr_worker *w, const lr__key_set *set); /* null is allowed */
/* How long at least what is sealed now can be opened: no ticket should live longer. */
uint32_t lr__keys_keep_s(const struct lr_worker *w);

/* The worker's part in it: begin, end, and look between turns. */
lr_status lr__worker_keys_open(struct lr_worker *w, lr_error *err);
void lr__worker_keys_close(struct lr_worker *w);
void lr__worker_keys_turn(struct lr_worker *w);

#endif
