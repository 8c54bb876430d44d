/* SPDX-License-Identifier: MIT */
#include "core/run/key_store.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/run/worker.h"
#include "core/run/workers.h"

#include <string.h>

static lr__published_keys *set_new(const lr__key_store *store)
{
    size_t size = sizeof(lr__published_keys) + store->place_count * sizeof(lr__key_pins);
    lr__published_keys *set = lr__alloc_aligned(LR__KEY_LINE, size);

    if (!set)
        return NULL;
    memset(set, 0, size);
    memset(set->set.accept_until_ns, 0xff, sizeof(set->set.accept_until_ns));
    set->set.keys = lr_ticket_keys_new();
    if (set->set.keys)
        return set;
    lr__free(set);
    return NULL;
}

static void set_free(lr__published_keys *set)
{
    if (!set)
        return;
    lr_ticket_keys_free(set->set.keys); /* wipes */
    lr__free(set);
}

lr__key_store *lr__key_store_new(const lr__key_store_options *options)
{
    lr__key_store *store = lr__alloc_zero(1, sizeof(*store));
    size_t size = options->place_count * sizeof(lr__key_place);

    LR_DCHECK(options->place_count > 0);
    if (!store)
        return NULL;
    store->places = lr__alloc_aligned(LR__KEY_LINE, size);
    if (!store->places) {
        lr__free(store);
        return NULL;
    }
    memset(store->places, 0, size);
    store->place_count = options->place_count;
    store->log = options->log;
    LR_CHECK(pthread_mutex_init(&store->lock, NULL) == 0);
    return store;
}

static bool is_in_use(const lr__key_store *store, const lr__published_keys *set)
{
    for (uint32_t i = 0; i < store->place_count; i++) {
        /* In this order: who has moved on pins no more, and what it pinned is seen. */
        if (atomic_load(&store->places[i].in_use) == set)
            return true;
        if (atomic_load_explicit(&set->pins[i].count, memory_order_acquire) != 0)
            return true;
    }
    return false;
}

/* Frees what nobody uses any more. Under the lock. */
static void reclaim(lr__key_store *store)
{
    lr__published_keys **at = &store->old;

    while (*at) {
        lr__published_keys *set = *at;

        if (is_in_use(store, set)) {
            at = &set->next_old;
            continue;
        }
        *at = set->next_old;
        set_free(set);
    }
}

void lr__key_store_free(lr__key_store *store)
{
    if (!store)
        return;
    reclaim(store);
    LR_CHECK(store->old == NULL); /* a pin was not given back, or a place not left */
    set_free(atomic_load(&store->current));
    (void)pthread_mutex_destroy(&store->lock);
    lr__free(store->places);
    lr__free(store);
}

/* The first keys, if there are none yet. Under the lock. */
static lr_status begin(lr__key_store *store, lr_error *err)
{
    lr__published_keys *set;
    lr_status status;

    if (atomic_load(&store->current))
        return LR_OK;
    set = set_new(store);
    if (!set)
        return lr__fail(err, LR_ENOMEM, "ticket keys: out of memory");
    status = lr_ticket_keys_draw(set->set.keys, false, err);
    if (status == LR_OK)
        status = lr_ticket_keys_draw(set->set.keys, true, err);
    if (status != LR_OK) {
        set_free(set);
        return status;
    }
    set->generation = ++store->generation;
    atomic_store(&store->current, set);
    return LR_OK;
}

/* Announces what is current, and looks whether it still was when that could be seen. */
static void announce(lr__key_store *store, lr__key_place *place)
{
    lr__published_keys *set = atomic_load(&store->current);

    for (;;) {
        lr__published_keys *again;

        atomic_store(&place->in_use, set);
        again = atomic_load(&store->current);
        if (again == set)
            return;
        set = again;
    }
}

lr_status lr__key_store_enter(lr__key_store *store, uint32_t place, lr_error *err)
{
    lr_status status;

    (void)pthread_mutex_lock(&store->lock);
    status = begin(store, err);
    (void)pthread_mutex_unlock(&store->lock);
    if (status == LR_OK)
        announce(store, &store->places[place]);
    return status;
}

void lr__key_store_leave(lr__key_store *store, uint32_t place)
{
    atomic_store(&store->places[place].in_use, NULL);
}

void lr__key_store_adopt(lr__key_store *store, uint32_t place)
{
    lr__key_place *here = &store->places[place];

    if (atomic_load_explicit(&store->current, memory_order_relaxed) ==
        atomic_load_explicit(&here->in_use, memory_order_relaxed))
        return;
    announce(store, here);
    if (pthread_mutex_trylock(&store->lock) == 0) {
        reclaim(store);
        (void)pthread_mutex_unlock(&store->lock);
    }
}

const lr__key_set *lr__key_store_pin(lr__key_store *store, uint32_t place)
{
    lr__published_keys *set =
        atomic_load_explicit(&store->places[place].in_use, memory_order_relaxed);
    _Atomic uint32_t *pins;

    if (!set)
        return NULL;
    pins = &set->pins[place].count;
    atomic_store_explicit(pins, atomic_load_explicit(pins, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    return &set->set;
}

void lr__key_store_unpin(lr__key_store *store, uint32_t place, const lr__key_set *set)
{
    lr__published_keys *published = LR_CONTAINER_OF(set, lr__published_keys, set);
    _Atomic uint32_t *pins = &published->pins[place].count;
    uint32_t left = atomic_load_explicit(pins, memory_order_relaxed);

    (void)store;
    LR_DCHECK(left > 0);
    atomic_store_explicit(pins, left - 1, memory_order_release);
}

const lr__key_set *lr__keys_pin(lr_worker *w)
{
    lr__dcheck_on_worker(w);
    return lr__key_store_pin(w->workers->keys, w->index);
}

void lr__keys_unpin(lr_worker *w, const lr__key_set *set)
{
    lr__dcheck_on_worker(w);
    if (set)
        lr__key_store_unpin(w->workers->keys, w->index, set);
}
