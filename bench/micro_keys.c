/* SPDX-License-Identifier: MIT */
/* bench/micro_keys.c: what a handshake pays for the ticket keys, on one thread, on several, and
 * while the keys change.
 *
 *     micro_keys [THREADS [MILLISECONDS]]     default: one per processor, 500
 *
 * One operation is a turn with one handshake in it: the look whether there is another set, the pin,
 * a key found by its name, the end of the pin. Each reader does batches of 1000 of them; shown is
 * the median batch of all readers in nanoseconds of the thread's CPU clock per operation, and that
 * of nine out of ten. A line of memory that went from processor to processor would show as a
 * difference between the rows. */
#include "core/run/key_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 1000, BATCHES_MAX = 100000, THREADS_MAX = 64 };

typedef struct reader {
    uint32_t index;
    pthread_t thread;
    uint64_t adopted;
    uint32_t count;
    double *batches; /* ns per operation */
} reader;

static lr__key_store *store;
static _Atomic bool over;
static _Atomic uint32_t ready;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "micro_keys: %s\n", what);
    exit(EXIT_FAILURE);
}

static uint64_t clock_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The name to look for, a client's from its hello, is that of the key current when the batch began:
 * older ones stand further back in the list, and that is no question of lines. */
static void batch(reader *r)
{
    uint64_t now_ns = clock_of(CLOCK_MONOTONIC);
    uint8_t name[LR__KEY_NAME] = {0};

    for (uint32_t i = 0; i < BATCH; i++) {
        const lr__key_set *set;
        bool is_current;

        if (lr__key_store_has_news(store, r->index)) {
            (void)lr__key_store_adopt(store, r->index, now_ns);
            r->adopted++;
        }
        set = lr__key_store_pin(store, r->index);
        if (!lr__key_set_find(set, name, now_ns, &is_current))
            memcpy(name, lr__keys_current(set->keys), LR__KEY_NAME);
        (void)lr__key_store_unpin(store, r->index, set);
    }
}

static void *reader_main(void *arg)
{
    reader *r = arg;

    if (lr__key_store_enter(store, r->index, clock_of(CLOCK_MONOTONIC), NULL) != LR_OK)
        die("no keys");
    atomic_fetch_add(&ready, 1);
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        uint64_t before = clock_of(CLOCK_THREAD_CPUTIME_ID);

        batch(r);
        if (r->count < BATCHES_MAX)
            r->batches[r->count++] =
                (double)(clock_of(CLOCK_THREAD_CPUTIME_ID) - before) / (double)BATCH;
    }
    (void)lr__key_store_leave(store, r->index);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void show(const char *what, reader *readers, uint32_t threads, uint64_t changes)
{
    double *all = calloc((size_t)threads * BATCHES_MAX, sizeof(*all));
    uint32_t count = 0;
    uint64_t adopted = 0;

    if (!all)
        die("out of memory");
    for (uint32_t i = 0; i < threads; i++) {
        memcpy(all + count, readers[i].batches, readers[i].count * sizeof(*all));
        count += readers[i].count;
        adopted += readers[i].adopted;
    }
    if (count == 0)
        die("nothing was measured");
    qsort(all, count, sizeof(*all), by_size);
    printf("%-36s %3u threads  %6.2f ns  (9 of 10: %6.2f)  %8llu rotations, %8llu adoptions\n",
           what, threads, all[count / 2], all[count / 10 * 9], (unsigned long long)changes,
           (unsigned long long)adopted);
    free(all);
}

/* pause_us 0: no rotation. */
static void run(const char *what, uint32_t threads, uint32_t ms, useconds_t pause_us)
{
    lr__log quiet = {.level = LR_LOG_OFF};
    lr__key_store_options options = {.place_count = threads,
                                     .period_ns = LR__KEY_NEVER,
                                     .keep_ns = UINT64_C(7500000000000),
                                     .log = &quiet};
    reader readers[THREADS_MAX] = {0};
    uint64_t until;

    store = lr__key_store_new(&options);
    atomic_store(&over, false);
    atomic_store(&ready, 0);
    for (uint32_t i = 0; i < threads; i++) {
        readers[i].index = i;
        readers[i].batches = calloc(BATCHES_MAX, sizeof(double));
        if (!store || !readers[i].batches ||
            pthread_create(&readers[i].thread, NULL, reader_main, &readers[i]) != 0)
            die("out of memory");
    }
    while (atomic_load(&ready) < threads)
        (void)usleep(100);
    until = clock_of(CLOCK_MONOTONIC) + ms * UINT64_C(1000000);
    while (clock_of(CLOCK_MONOTONIC) < until) {
        bool published;

        (void)usleep(pause_us ? pause_us : 10000);
        if (pause_us == 0)
            continue;
        (void)lr__key_store_rotate(store, clock_of(CLOCK_MONOTONIC), &published, NULL);
    }
    atomic_store(&over, true);
    for (uint32_t i = 0; i < threads; i++)
        (void)pthread_join(readers[i].thread, NULL);
    show(what, readers, threads, store->generation - 1);
    for (uint32_t i = 0; i < threads; i++)
        free(readers[i].batches);
    lr__key_store_free(store);
}

int main(int argc, char **argv)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t threads = argc > 1 ? (uint32_t)atoi(argv[1]) : (uint32_t)processors;
    uint32_t ms = argc > 2 ? (uint32_t)atoi(argv[2]) : 500;

    if (threads == 0 || threads > THREADS_MAX || ms == 0) {
        fprintf(stderr, "usage: micro_keys [THREADS [MILLISECONDS]], at most %d threads\n",
                THREADS_MAX);
        return EXIT_FAILURE;
    }
    run("no rotation", 1, ms, 0);
    run("no rotation", threads, ms, 0);
    run("a rotation every 10 ms", threads, ms, 10000);
    run("a rotation every ms", threads, ms, 1000);
    run("a rotation every 100 us", threads, ms, 100);
    return EXIT_SUCCESS;
}
