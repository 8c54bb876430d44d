/* SPDX-License-Identifier: MIT */
/* core/run/key_store.c: publishing and reclaiming; what the sets are made of is key_make.c's.
 *
 * Whoever holds the lock notes what it did in a struct news, which is logged when the lock is
 * given back: a program's log sink may call us. */
#include "core/run/key_store.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/run/key_make.h"

#include <string.h>

enum { RETRY_NS = 1000000000 };

/* What happened under the lock. */
typedef struct news {
    const char *published; /* the event's name; null: nothing was */
    lr_log_level level;
    uint8_t name[LR__KEY_NAME]; /* of the key that seals now */
    uint32_t count, behind;     /* keys; workers that were not waited for */
    lr_status failed;
    lr_error error;
} news;

lr__key_store *lr__key_store_new(const lr__key_store_options *options)
{
    lr__key_store *store = lr__alloc_aligned(LR__KEY_LINE, sizeof(*store));
    size_t size = options->place_count * sizeof(lr__key_place);

    LR_DCHECK(options->place_count > 0);
    if (!store)
        return NULL;
    memset(store, 0, sizeof(*store));
    store->options = *options;
    store->places = lr__alloc_aligned(LR__KEY_LINE, size);
    if (!store->places) {
        lr__free(store);
        return NULL;
    }
    memset(store->places, 0, size);
    LR_CHECK(pthread_mutex_init(&store->lock, NULL) == 0);
    return store;
}

static bool is_in_use(const lr__key_store *store, const lr__published_keys *set)
{
    for (uint32_t i = 0; i < store->options.place_count; i++) {
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
        lr__keys_made_free(set);
    }
}

void lr__key_store_free(lr__key_store *store)
{
    if (!store)
        return;
    reclaim(store);
    LR_CHECK(store->old == NULL); /* a pin was not given back, or a place not left */
    lr__keys_made_free(store->waiting);
    lr__keys_made_free(atomic_load(&store->current));
    (void)pthread_mutex_destroy(&store->lock);
    lr__free(store->places);
    lr__free(store);
}

/* The time of one period after the last one, or after now where it was replaced before. What was
 * overslept by more than a period is made up for by one rotation more: the next key has had its
 * time too. */
static uint64_t schedule(const lr__key_store *store, const lr__published_keys *before)
{
    uint64_t period = store->options.period_ns, next;

    if (period == LR__KEY_NEVER || store->given)
        return LR__KEY_NEVER;
    next = (before->rotate_ns < store->now_ns ? before->rotate_ns : store->now_ns) + period;
    return next + period <= store->now_ns ? store->now_ns : next;
}

/* Makes it the current set. Under the lock. */
static void publish(lr__key_store *store, lr__published_keys *set, const char *event,
                    lr_log_level level, news *n)
{
    lr__published_keys *before = atomic_load(&store->current);

    set->generation = ++store->generation;
    set->settled_ns = store->now_ns + LR__KEY_SETTLE_NS;
    lr__keys_made_finish(set, before, store->now_ns, store->options.keep_ns);
    n->published = event;
    n->level = level;
    n->count = set->set.keys->count;
    memcpy(n->name, lr__keys_current(set->set.keys), LR__KEY_NAME);
    atomic_store(&store->current, set);
    if (!before)
        return;
    before->next_old = store->old;
    store->old = before;
    reclaim(store);
}

/* How many that have begun do not have that set yet. Under the lock. */
static uint32_t count_behind(const lr__key_store *store, uint64_t generation)
{
    uint32_t behind = 0;

    for (uint32_t i = 0; i < store->options.place_count; i++) {
        const lr__key_place *place = &store->places[i];

        behind += atomic_load(&place->in_use) && atomic_load(&place->accepted) < generation;
    }
    return behind;
}

/* Publishes what waits, if its time has come. Under the lock. */
static void go_on(lr__key_store *store, news *n)
{
    const lr__published_keys *before = atomic_load(&store->current);
    uint32_t behind = count_behind(store, store->waiting_for);
    lr__published_keys *set = store->waiting;

    if (behind != 0 && store->now_ns < before->settled_ns)
        return;
    n->behind = behind;
    store->waiting = NULL;
    set->rotate_ns = schedule(store, before);
    publish(store, set, store->given ? "ticket_keys_given" : "ticket_keys_rotated",
            behind != 0 ? LR_LOG_WARN : LR_LOG_INFO, n);
}

/* Under the lock. */
static lr_status prepare_rotation(lr__key_store *store, lr_error *err)
{
    const lr__published_keys *before = atomic_load(&store->current);

    LR_DCHECK(!store->waiting);
    LR_TRY(lr__keys_made_rotated(before, store->options.place_count, &store->waiting, err));
    store->waiting_for = before->since[0];
    return LR_OK;
}

/* Publishes the current set without the keys whose time is over. Under the lock. */
static lr_status forget(lr__key_store *store, news *n, lr_error *err)
{
    const lr__published_keys *before = atomic_load(&store->current);
    lr__published_keys *set;

    LR_TRY(lr__keys_made_copy(before, store->options.place_count, &set, err));
    set->rotate_ns = before->rotate_ns;
    publish(store, set, "ticket_keys_expired", LR_LOG_DEBUG, n);
    return LR_OK;
}

static bool has_expired(const lr__published_keys *set, uint64_t now_ns)
{
    for (uint32_t i = 0; i < set->set.keys->count; i++) {
        if (set->set.accept_until_ns[i] <= now_ns)
            return true;
    }
    return false;
}

/* All that is due. Under the lock. */
static void tend_locked(lr__key_store *store, news *n)
{
    lr__published_keys *set = atomic_load(&store->current);

    reclaim(store);
    if (store->waiting) {
        go_on(store, n);
        return;
    }
    if (!set || store->now_ns < store->retry_ns)
        return;
    if (store->now_ns >= set->rotate_ns) {
        n->failed = prepare_rotation(store, &n->error);
        if (n->failed == LR_OK)
            go_on(store, n);
    } else if (has_expired(set, store->now_ns)) {
        n->failed = forget(store, n, &n->error);
    }
    if (n->failed != LR_OK)
        store->retry_ns = store->now_ns + RETRY_NS;
}

static void hear_time(lr__key_store *store, uint64_t now_ns)
{
    if (store->now_ns < now_ns)
        store->now_ns = now_ns;
}

static void say(const lr__key_store *store, const news *n)
{
    char name[2 * LR__KEY_NAME + 1];

    if (n->failed != LR_OK)
        lr__log_line(store->options.log, LR_LOG_ERROR, "ticket_keys_kept why=\"%s\"",
                     n->error.text);
    if (!n->published || !lr__log_wants(store->options.log, n->level))
        return;
    for (uint32_t i = 0; i < LR__KEY_NAME; i++) {
        static const char digits[] = "0123456789abcdef";

        name[2 * i] = digits[n->name[i] >> 4];
        name[2 * i + 1] = digits[n->name[i] & 15];
    }
    name[2 * LR__KEY_NAME] = '\0';
    lr__log_line(store->options.log, n->level, "%s name=%s keys=%u behind=%u", n->published, name,
                 n->count, n->behind);
}

bool lr__key_store_tend(lr__key_store *store, uint64_t now_ns)
{
    bool published = false;

    atomic_store(&store->untended, true);
    while (atomic_load(&store->untended) && pthread_mutex_trylock(&store->lock) == 0) {
        news n = {.failed = LR_OK};

        atomic_store(&store->untended, false);
        hear_time(store, now_ns);
        tend_locked(store, &n);
        (void)pthread_mutex_unlock(&store->lock);
        say(store, &n);
        published |= n.published != NULL;
    }
    return published;
}

/* Gives the lock back, tells, and does what others left because of it. */
static bool unlock(lr__key_store *store, const news *n)
{
    bool published = n->published != NULL;

    (void)pthread_mutex_unlock(&store->lock);
    say(store, n);
    if (atomic_load(&store->untended))
        published |= lr__key_store_tend(store, 0);
    return published;
}

/* The first keys, if there are none yet. Under the lock. */
static lr_status begin(lr__key_store *store, lr_error *err)
{
    lr__published_keys *set;
    news unsaid = {.failed = LR_OK};

    if (atomic_load(&store->current))
        return LR_OK;
    LR_TRY(lr__keys_made_drawn(store->options.place_count, &set, err));
    set->rotate_ns = LR__KEY_NEVER; /* until there is time */
    publish(store, set, "", LR_LOG_OFF, &unsaid);
    set->settled_ns = 0; /* whoever enters has it */
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
            break;
        set = again;
    }
    atomic_store(&place->accepted, set->generation);
}

lr_status lr__key_store_enter(lr__key_store *store, uint32_t place, uint64_t now_ns, lr_error *err)
{
    news n = {.failed = LR_OK};
    lr_status status;

    (void)pthread_mutex_lock(&store->lock);
    hear_time(store, now_ns);
    status = begin(store, err);
    if (status == LR_OK && !store->begun) {
        lr__published_keys *set = atomic_load(&store->current); /* nobody looks at it yet */

        store->begun = true;
        set->rotate_ns = store->now_ns;
        set->rotate_ns = schedule(store, set);
    }
    if (status == LR_OK)
        announce(store, &store->places[place]);
    (void)unlock(store, &n);
    return status;
}

bool lr__key_store_leave(lr__key_store *store, uint32_t place)
{
    atomic_store(&store->places[place].in_use, NULL);
    atomic_store(&store->places[place].accepted, 0);
    return lr__key_store_tend(store, 0);
}

bool lr__key_store_has_news(const lr__key_store *store, uint32_t place)
{
    return atomic_load_explicit(&store->current, memory_order_relaxed) !=
           atomic_load_explicit(&store->places[place].in_use, memory_order_relaxed);
}

bool lr__key_store_adopt(lr__key_store *store, uint32_t place, uint64_t now_ns)
{
    announce(store, &store->places[place]);
    return lr__key_store_tend(store, now_ns);
}

uint64_t lr__key_store_next(const lr__key_store *store, uint32_t place, uint64_t now_ns)
{
    const lr__published_keys *set =
        atomic_load_explicit(&store->places[place].in_use, memory_order_relaxed);
    uint64_t next = set->rotate_ns;

    for (uint32_t i = 0; i < set->set.keys->count; i++) {
        if (set->set.accept_until_ns[i] < next)
            next = set->set.accept_until_ns[i];
    }
    if (next <= now_ns) /* it failed, or somebody is at it */
        next = now_ns + RETRY_NS;
    return now_ns < set->settled_ns && set->settled_ns < next ? set->settled_ns : next;
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

bool lr__key_store_unpin(lr__key_store *store, uint32_t place, const lr__key_set *set)
{
    lr__published_keys *in_use =
        atomic_load_explicit(&store->places[place].in_use, memory_order_relaxed);
    lr__published_keys *published = LR_CONTAINER_OF(set, lr__published_keys, set);
    _Atomic uint32_t *pins = &published->pins[place].count;
    uint32_t left = atomic_load_explicit(pins, memory_order_relaxed);

    LR_DCHECK(left > 0);
    atomic_store_explicit(pins, left - 1, memory_order_release);
    /* published may be gone here, if it is not in use. */
    return left == 1 && published != in_use ? lr__key_store_tend(store, 0) : false;
}

/* Nothing has been sealed yet: the keys are simply others. Under the lock. */
static void replace(lr__key_store *store, lr__published_keys *set, const char *event, news *n)
{
    set->rotate_ns = LR__KEY_NEVER;
    publish(store, set, event, LR_LOG_INFO, n);
    set->settled_ns = 0;
}

/* Under the lock. */
static lr_status give(lr__key_store *store, const lr_ticket_keys *keys, news *n, lr_error *err)
{
    const lr__published_keys *before = atomic_load(&store->current);
    lr__published_keys *sealing, *accepting = NULL;
    uint32_t places = store->options.place_count, at;

    if (!store->begun) {
        LR_TRY(lr__keys_made_given(NULL, keys, false, places, &sealing, err));
        store->given = true;
        replace(store, sealing, "ticket_keys_given", n);
        return LR_OK;
    }
    LR_TRY(lr__keys_made_given(before, keys, store->given, places, &sealing, err));
    if (!lr__keys_made_accepts(before, lr__keys_current(keys), &at)) {
        lr_status status = lr__keys_made_accepting(before, keys, places, &accepting, err);

        if (status != LR_OK) {
            lr__keys_made_free(sealing);
            return status;
        }
    }
    lr__keys_made_free(store->waiting); /* its keys never sealed */
    store->waiting = sealing;
    store->given = true;
    if (accepting) {
        accepting->rotate_ns = LR__KEY_NEVER;
        publish(store, accepting, "ticket_keys_accepted", LR_LOG_DEBUG, n);
    }
    store->waiting_for = accepting ? accepting->generation : before->since[at];
    go_on(store, n);
    return LR_OK;
}

lr_status lr__key_store_give(lr__key_store *store, const lr_ticket_keys *keys, uint64_t now_ns,
                             bool *published, lr_error *err)
{
    news n = {.failed = LR_OK};
    lr_status status;

    if (!lr__keys_current(keys))
        return lr__fail(err, LR_EKEY, "ticket keys: the list has none that seals");
    (void)pthread_mutex_lock(&store->lock);
    hear_time(store, now_ns);
    status = give(store, keys, &n, err);
    *published = unlock(store, &n);
    return status;
}

/* Under the lock. */
static lr_status rotate(lr__key_store *store, news *n, lr_error *err)
{
    lr__published_keys *set;

    if (store->given)
        return lr__fail(err, LR_ESTATE,
                        "ticket keys: these were given; give a list with others in their place");
    if (!store->begun) {
        LR_TRY(lr__keys_made_drawn(store->options.place_count, &set, err));
        replace(store, set, "ticket_keys_rotated", n);
        return LR_OK;
    }
    if (store->waiting)
        return LR_OK; /* that is the rotation */
    LR_TRY(prepare_rotation(store, err));
    go_on(store, n);
    return LR_OK;
}

lr_status lr__key_store_rotate(lr__key_store *store, uint64_t now_ns, bool *published,
                               lr_error *err)
{
    news n = {.failed = LR_OK};
    lr_status status;

    (void)pthread_mutex_lock(&store->lock);
    hear_time(store, now_ns);
    status = rotate(store, &n, err);
    *published = unlock(store, &n);
    return status;
}

lr_status lr__key_store_copy(lr__key_store *store, lr_ticket_keys *out, lr_error *err)
{
    news n = {.failed = LR_OK};
    lr_status status;

    (void)pthread_mutex_lock(&store->lock);
    status = begin(store, err);
    if (status == LR_OK) {
        const lr__published_keys *set =
            store->waiting ? store->waiting : atomic_load(&store->current);

        memcpy(out->keys, set->set.keys->keys, sizeof(*out->keys) * LR_TICKET_KEYS_MAX);
        out->count = set->set.keys->count;
        out->has_next = set->set.keys->has_next;
    }
    (void)unlock(store, &n);
    return status;
}
