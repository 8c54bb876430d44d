/* SPDX-License-Identifier: MIT */
/* The store of ticket keys under threads: readers seal and open while keys change thousands of
 * times, and one of them stalls for a part of it. Time is what the changing thread says. */
#include "core/run/key_store.h"

#include "core/run/worker.h"
#include "core/tls/library.h"
#include "support.h"

#include <sched.h>

#define STEP UINT64_C(500000000) /* between changes */
#define KEEP (12 * STEP)

enum { READERS = 4, STALLER = READERS - 1, OWN = 32, TEXT = 32 };

typedef struct ticket {
    uint64_t sealed_ns; /* 0: none */
    uint8_t name[LR__KEY_NAME], salt[LR__SEAL_SALT], mac[LR__SEAL_MAC], text[TEXT];
} ticket;

/* A key that this reader saw replaced. */
typedef struct seen_key {
    uint8_t name[LR__KEY_NAME];
    uint64_t replaced_ns; /* by then */
} seen_key;

typedef struct reader {
    uint32_t index;
    pthread_t thread;
    uint64_t seed, turns, keys; /* keys: that it saw current */
    uint64_t opened, missed, refused, wrong;
    uint8_t current[LR__KEY_NAME];
    ticket own[OWN]; /* one for each of the last keys */
    seen_key seen[OWN];
    pthread_mutex_t lock; /* of shown */
    ticket shown;         /* to the others */
} reader;

static lr__key_store *store;
static lr__log quiet = {.level = LR_LOG_OFF};
static reader readers[READERS];
static _Atomic uint64_t clock_ns;
static _Atomic bool over;
static _Atomic int stall; /* 1: asked for, 2: it stalls */
static _Atomic uint32_t entered;

static const uint8_t said[TEXT] = "what is sealed must come back";

static void seal(reader *r, const lr__key_set *set, uint64_t now_ns)
{
    ticket *t = &r->own[r->keys % OWN];

    memcpy(t->text, said, TEXT);
    r->wrong += !lr__seal(lr__keys_current(set->keys), LR_LIT("policy"), t->text, TEXT, t->name,
                          t->salt, t->mac);
    t->sealed_ns = now_ns;
}

/* A ticket opens as long as it is young, and not when its key was replaced long ago. */
static void open_one(reader *r, const lr__key_set *set, const ticket *t, uint64_t now_ns)
{
    uint8_t text[TEXT];
    bool is_current;
    const uint8_t *key;

    if (t->sealed_ns == 0)
        return;
    key = lr__key_set_find(set, t->name, now_ns, &is_current);
    if (key) {
        memcpy(text, t->text, TEXT);
        r->wrong += !lr__unseal(key, LR_LIT("policy"), text, TEXT, t->salt, t->mac) ||
                    memcmp(text, said, TEXT) != 0;
        r->opened++;
    } else if (now_ns + STEP < t->sealed_ns + KEEP) {
        r->missed++; /* a step less: a reader's time is that of the begin of its turn */
    }
    for (uint32_t i = 0; i < OWN; i++) {
        const seen_key *seen = &r->seen[i];

        if (seen->replaced_ns == 0 || memcmp(seen->name, t->name, LR__KEY_NAME) != 0)
            continue;
        if (now_ns < seen->replaced_ns + KEEP)
            continue;
        r->wrong += key != NULL;
        r->refused++;
    }
}

static void notice_key(reader *r, const lr__key_set *set)
{
    const uint8_t *current = lr__keys_current(set->keys);

    if (memcmp(r->current, current, LR__KEY_NAME) == 0)
        return;
    memcpy(r->seen[r->keys % OWN].name, r->current, LR__KEY_NAME);
    r->seen[r->keys % OWN].replaced_ns = atomic_load(&clock_ns);
    memcpy(r->current, current, LR__KEY_NAME);
    r->keys++;
}

/* Seldom: the lock orders what must be ordered without it. */
static void exchange(reader *r, const lr__key_set *set, uint64_t now_ns)
{
    reader *other = &readers[support_random_below(&r->seed, READERS)];
    ticket shown;

    (void)pthread_mutex_lock(&r->lock);
    r->shown = r->own[r->keys % OWN];
    (void)pthread_mutex_unlock(&r->lock);
    (void)pthread_mutex_lock(&other->lock);
    shown = other->shown;
    (void)pthread_mutex_unlock(&other->lock);
    /* It may have been sealed in a turn that began after this one. */
    if (shown.sealed_ns <= now_ns)
        open_one(r, set, &shown, now_ns);
}

static void turn(reader *r)
{
    uint64_t now_ns = atomic_load(&clock_ns);
    const lr__key_set *set;

    if (lr__key_store_has_news(store, r->index))
        (void)lr__key_store_adopt(store, r->index, now_ns);
    set = lr__key_store_pin(store, r->index);
    notice_key(r, set);
    seal(r, set, now_ns);
    if (r->index == STALLER && atomic_load(&stall) == 1) {
        atomic_store(&stall, 2);
        while (atomic_load(&stall) == 2)
            (void)sched_yield();
    }
    open_one(r, set, &r->own[support_random_below(&r->seed, OWN)], now_ns);
    if (r->turns++ % 8 == 0)
        exchange(r, set, now_ns);
    (void)lr__key_store_unpin(store, r->index, set);
}

static void *reader_main(void *arg)
{
    reader *r = arg;

    if (lr__key_store_enter(store, r->index, atomic_load(&clock_ns), NULL) != LR_OK)
        r->wrong++;
    atomic_fetch_add(&entered, 1);
    while (!atomic_load(&over)) {
        turn(r);
        (void)sched_yield(); /* fewer processors than threads */
    }
    (void)lr__key_store_leave(store, r->index);
    return NULL;
}

/* Of the current set; 0: another one waits. */
static uint64_t generation(void)
{
    uint64_t current;

    (void)pthread_mutex_lock(&store->lock);
    current = store->waiting ? 0 : store->generation;
    (void)pthread_mutex_unlock(&store->lock);
    if (atomic_load(&store->untended)) /* as all do who had the lock */
        (void)lr__key_store_tend(store, 0);
    return current;
}

/* Time passes only for who waits for the stalled one, and when all others have come. */
static void wait_for_change(uint64_t before)
{
    while (generation() <= before) {
        uint32_t behind = 0;

        (void)sched_yield();
        for (uint32_t i = 0; i < STALLER; i++)
            behind += lr__key_store_has_news(store, i);
        if (behind != 0 || atomic_load(&stall) != 2)
            continue;
        (void)lr__key_store_tend(store, atomic_fetch_add(&clock_ns, STEP) + STEP);
    }
}

static void change(bool by_giving)
{
    uint64_t before = generation(), now_ns = atomic_fetch_add(&clock_ns, STEP) + STEP;
    lr_ticket_keys *keys;
    bool published;

    if (by_giving) {
        keys = lr_ticket_keys_new();
        assert_int_equal(lr_ticket_keys_draw(keys, false, NULL), LR_OK);
        assert_int_equal(lr__key_store_give(store, keys, now_ns, &published, NULL), LR_OK);
        lr_ticket_keys_free(keys);
    } else {
        assert_int_equal(lr__key_store_rotate(store, now_ns, &published, NULL), LR_OK);
    }
    wait_for_change(before);
}

static void play(uint32_t changes, bool by_giving)
{
    lr__key_store_options options = {
        .place_count = READERS, .period_ns = LR__KEY_NEVER, .keep_ns = KEEP, .log = &quiet};

    store = lr__key_store_new(&options);
    atomic_store(&clock_ns, 1000 * STEP);
    atomic_store(&over, false);
    atomic_store(&entered, 0);
    for (uint32_t i = 0; i < READERS; i++)
        readers[i] = (reader){.index = i, .seed = i, .lock = PTHREAD_MUTEX_INITIALIZER};
    for (uint32_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i].thread, NULL, reader_main, &readers[i]), 0);
    }
    while (atomic_load(&entered) < READERS)
        (void)sched_yield();
    for (uint32_t i = 0; i < changes; i++) {
        if (i == changes / 3) {
            atomic_store(&stall, 1);
            while (atomic_load(&stall) != 2)
                (void)sched_yield();
        }
        if (i == changes / 2)
            atomic_store(&stall, 0);
        change(by_giving);
    }
    atomic_store(&over, true);
    for (uint32_t i = 0; i < READERS; i++) {
        const reader *r = &readers[i];

        assert_int_equal(pthread_join(r->thread, NULL), 0);
        print_message("reader %u: %lu turns, %lu keys; opened %lu, missed %lu, refused %lu\n", i,
                      (unsigned long)r->turns, (unsigned long)r->keys, (unsigned long)r->opened,
                      (unsigned long)r->missed, (unsigned long)r->refused);
    }
    for (uint32_t i = 0; i < READERS; i++) {
        assert_int_equal(readers[i].wrong, 0);
        assert_int_equal(readers[i].missed, 0);
        assert_true(readers[i].opened > changes / 10 && readers[i].refused > changes / 10);
        assert_true(readers[i].keys > changes / 2);
    }
    lr__key_store_free(store); /* it checks that no old set is left */
}

static void tickets_open_through_ten_thousand_rotations_and_a_stall(void **state)
{
    (void)state;
    play(10000, false);
}

static void tickets_open_while_keys_are_given(void **state)
{
    (void)state;
    play(2000, true);
}

/* A publisher that waits for nobody, so that sets go while they are about to be announced: what a
 * reader pins is alive all the same. Sanitizers see it if not, and mostly the generation too. */
static void *watcher_main(void *arg)
{
    reader *r = arg;
    uint64_t last = 0;

    if (lr__key_store_enter(store, r->index, 0, NULL) != LR_OK)
        r->wrong++;
    atomic_fetch_add(&entered, 1);
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        const lr__key_set *set;
        const lr__published_keys *published;

        if (lr__key_store_has_news(store, r->index))
            (void)lr__key_store_adopt(store, r->index, 0);
        set = lr__key_store_pin(store, r->index);
        published = LR_CONTAINER_OF(set, lr__published_keys, set);
        r->wrong += published->generation < last || lr__keys_current(set->keys) == NULL;
        last = published->generation;
        (void)lr__key_store_unpin(store, r->index, set);
        r->turns++;
    }
    (void)lr__key_store_leave(store, r->index);
    return NULL;
}

static void a_pinned_set_is_alive_however_fast_they_come(void **state)
{
    lr__key_store_options options = {
        .place_count = 2, .period_ns = LR__KEY_NEVER, .keep_ns = KEEP, .log = &quiet};
    uint64_t now_ns = 1000 * STEP;

    (void)state;
    store = lr__key_store_new(&options);
    atomic_store(&over, false);
    atomic_store(&entered, 0);
    for (uint32_t i = 0; i < 2; i++)
        readers[i] = (reader){.index = i};
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i].thread, NULL, watcher_main, &readers[i]), 0);
    while (atomic_load(&entered) < 2)
        (void)sched_yield();
    for (uint32_t i = 0; i < 20000; i++) {
        bool published;

        now_ns += LR__KEY_SETTLE_NS;
        assert_int_equal(lr__key_store_rotate(store, now_ns, &published, NULL), LR_OK);
    }
    atomic_store(&over, true);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_int_equal(readers[i].wrong, 0);
    }
    lr__key_store_free(store);
}

/* Workers with rings */

typedef struct look {
    _Atomic uint32_t answers;
    _Atomic uint32_t same; /* seal with it */
    uint8_t key[LR_TICKET_KEY_SIZE];
} look;

static void look_now(lr_worker *w, void *arg)
{
    const lr__key_set *set = lr__keys_pin(w);
    look *at = arg;

    if (memcmp(lr__keys_current(set->keys), at->key, LR_TICKET_KEY_SIZE) == 0)
        atomic_fetch_add(&at->same, 1);
    lr__keys_unpin(w, set);
    atomic_fetch_add(&at->answers, 1);
}

/* Until all of them seal with what is told; a look wakes them, but so did the change. */
static void wait_for_workers(lr_workers *workers)
{
    uint32_t count = lr_workers_count(workers), same = 0;

    while (same < count) {
        look at = {0};

        assert_true(lr_workers_get_ticket_key(workers, at.key));
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(lr_worker_post(lr_workers_worker(workers, i), look_now, &at), LR_OK);
        while (atomic_load(&at.answers) < count)
            (void)sched_yield();
        same = atomic_load(&at.same);
    }
}

static void workers_on_rings_take_what_comes(void **state)
{
    lr_workers_options options = {LR_WORKERS_OPTIONS, .worker_count = 3, .pin = LR_OFF,
                                  .ring = (lr_ring_choice)(uintptr_t)*state,
                                  .log_level = LR_LOG_OFF};
    lr_ticket_keys *keys = lr_ticket_keys_new();
    lr_workers *workers;

    if (lr_workers_new(&options, &workers, NULL) != LR_OK) {
        lr_ticket_keys_free(keys);
        skip(); /* no io_uring here */
    }
    assert_int_equal(lr_workers_start(workers, NULL), LR_OK);
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(lr_workers_rotate_ticket_keys(workers, NULL), LR_OK);
        wait_for_workers(workers);
    }
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(lr_ticket_keys_draw(keys, false, NULL), LR_OK);
        assert_int_equal(lr_workers_set_ticket_keys(workers, keys, NULL), LR_OK);
        if (i % 5 == 0)
            wait_for_workers(workers);
    }
    lr_workers_stop(workers, 0);
    assert_int_equal(lr_workers_set_ticket_keys(workers, keys, NULL), LR_OK);
    lr_workers_join(workers);
    assert_int_equal(lr_workers_set_ticket_keys(workers, keys, NULL), LR_OK);
    lr_workers_free(workers);
    lr_ticket_keys_free(keys);
}

/* wolfCrypt chooses its SHA-256 for this processor on first use, without an order. */
static int prepare(void **state)
{
    uint8_t key[LR_TICKET_KEY_SIZE] = {0};
    ticket t = {0};

    (void)state;
    assert_int_equal(lr__tls_init(NULL), LR_OK);
    assert_true(lr__seal(key, LR_LIT("policy"), t.text, TEXT, t.name, t.salt, t.mac));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tickets_open_through_ten_thousand_rotations_and_a_stall),
        cmocka_unit_test(tickets_open_while_keys_are_given),
        cmocka_unit_test(a_pinned_set_is_alive_however_fast_they_come),
        cmocka_unit_test_prestate(workers_on_rings_take_what_comes, (void *)LR_RING_URING),
        cmocka_unit_test_prestate(workers_on_rings_take_what_comes, (void *)LR_RING_EPOLL),
    };

    return cmocka_run_group_tests_name("key_threads", tests, prepare, NULL);
}
