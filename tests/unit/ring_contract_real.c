/* SPDX-License-Identifier: MIT */
#include "tests/unit/ring_contract.h"

#include "tests/unit/ring_real.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct waker {
    lr__ring *ring;
    _Atomic uint64_t posted; /* what the woken side must see */
    uint64_t plain; /* written before the wake, read after it: a race if it does not order */
    _Atomic uint64_t taken;
    uint64_t rounds;
} waker;

static void *wake_many(void *arg)
{
    waker *k = arg;

    for (uint64_t i = 1; i <= k->rounds; i++) {
        k->plain = i;
        atomic_store_explicit(&k->posted, i, memory_order_relaxed);
        lr__ring_wake(k->ring);
        while (atomic_load_explicit(&k->taken, memory_order_acquire) < i)
            sched_yield();
    }
    return NULL;
}

static void no_wake_from_another_thread_is_lost(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    waker k = {.ring = g->ring, .rounds = 20000};
    pthread_t thread;
    uint64_t taken = 0;

    assert_int_equal(pthread_create(&thread, NULL, wake_many, &k), 0);
    while (taken < k.rounds) {
        uint64_t posted;

        assert_int_equal(rig_turn(g, UINT64_MAX), 0); /* a lost one would hang */
        posted = atomic_load_explicit(&k.posted, memory_order_relaxed);
        if (posted > taken) {
            assert_int_equal(k.plain, posted); /* written before the wake */
            taken = posted;
            atomic_store_explicit(&k.taken, taken, memory_order_release);
        }
    }
    pthread_join(thread, NULL);
    rig_free(g);
}

typedef struct storm {
    lr__ring *ring;
    _Atomic uint32_t left;
} storm;

static void *wake_storm(void *arg)
{
    storm *s = arg;

    for (int i = 0; i < 20000; i++)
        lr__ring_wake(s->ring);
    atomic_fetch_sub(&s->left, 1);
    lr__ring_wake(s->ring);
    return NULL;
}

static void wakes_of_many_threads_do_not_disturb(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);
    storm s = {.ring = g->ring, .left = 3};
    pthread_t threads[3];

    rig_recv(g, c);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wake_storm, &s), 0);
    do {
        if (c->received == c->written)
            (void)rig_peer_write(g, c, 100);
        (void)rig_turn(g, UINT64_MAX);
    } while (atomic_load(&s.left) > 0 || c->received == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    RIG_UNTIL(g, c->received == c->written);
    rig_free(g);
}

static lr__ring *signalled;

static void on_signal(int signo)
{
    (void)signo;
    lr__ring_wake(signalled);
}

static void a_signal_handler_may_wake(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    struct sigaction action = {.sa_handler = on_signal}, old;

    signalled = g->ring;
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    raise(SIGUSR1);
    assert_int_equal(rig_turn(g, UINT64_MAX), 0);
    for (int i = 0; i < 50; i++) { /* while it sleeps, or just before: it returns either way */
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
            kill(getppid(), SIGUSR1);
            _exit(0);
        }
        assert_int_equal(rig_turn(g, UINT64_MAX), 0);
        while (waitpid(child, NULL, 0) < 0)
            assert_int_equal(errno, EINTR);
    }
    sigaction(SIGUSR1, &old, NULL);
    rig_free(g);
}

static _Atomic int ignored;

static void on_other_signal(int signo)
{
    (void)signo;
    atomic_fetch_add(&ignored, 1);
}

static void another_signal_does_not_end_a_wait(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    struct sigaction action = {.sa_handler = on_other_signal}, old;
    uint64_t start = lr__ring_now(g->ring);
    pid_t child;

    atomic_store(&ignored, 0);
    assert_int_equal(sigaction(SIGUSR2, &action, &old), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        kill(getppid(), SIGUSR2);
        _exit(0);
    }
    do {
        uint64_t now = lr__ring_now(g->ring);

        assert_int_equal(rig_turn(g, now + 5000000), 0);
        assert_true(lr__ring_now(g->ring) >= now + 5000000);
    } while (atomic_load(&ignored) == 0);
    assert_true(lr__ring_now(g->ring) > start);
    while (waitpid(child, NULL, 0) < 0)
        assert_int_equal(errno, EINTR);
    sigaction(SIGUSR2, &old, NULL);
    rig_free(g);
}

/* In a child: its descriptors are limited. Exit status 0: all as it should be. */
static void accept_without_descriptors(void *arg)
{
    const rig_world *w = arg;
    rig *g = rig_new(w, NULL);
    int peers[8], spare[64], used = 0;
    struct rlimit limit;

    alarm(20);
    for (int i = 0; i < 8; i++)
        peers[i] = rig_peer(g);
    getrlimit(RLIMIT_NOFILE, &limit);
    RIG_UNTIL(g, g->accepted_count == 8);
    limit.rlim_cur = (rlim_t)dup(0) + 2;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (used < 64 && (spare[used] = dup(0)) >= 0)
        used++;
    /* A peer needs a descriptor, then its connection has none. */
    close(spare[--used]);
    peers[0] = rig_peer(g);
    /* io_uring reads the limit when the request is prepared, so the accept is started anew. */
    lr__ring_stop(g->ring, lr__id_make(RIG_LISTENER_SLOT, 1), LR__OP_ACCEPT);
    while (g->accepting)
        rig_pump(g);
    if (g->accept_last == -ECANCELED) {
        g->accepting = true;
        lr__ring_accept(g->ring, g->listener, lr__id_make(RIG_LISTENER_SLOT, 1));
        while (g->accepting)
            rig_pump(g);
    }
    if (g->accept_last != -EMFILE || g->accepted_count != 8)
        _exit(3);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    g->accepting = true;
    lr__ring_accept(g->ring, g->listener, lr__id_make(RIG_LISTENER_SLOT, 1));
    while (g->accepted_count < 9) /* it waited in the queue */
        rig_pump(g);
    _exit(peers[7] < 0 ? 4 : 0);
}

static void want_of_descriptors_is_told_and_passes(const rig_world *w)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        accept_without_descriptors((void *)(uintptr_t)w);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void accepted_sockets_are_closed_on_exec(const rig_world *w)
{
    rig *g = rig_new(w, NULL);
    rig_conn *c = rig_connect(g);
    int flags = fcntl(c->sock, F_GETFD), status = fcntl(c->sock, F_GETFL), sock, peer;

    assert_true(flags & FD_CLOEXEC);
    assert_int_equal(!!(status & O_NONBLOCK), strcmp(w->backend->name, "epoll") == 0);
    lr__ring_stop(g->ring, lr__id_make(RIG_LISTENER_SLOT, 1), LR__OP_ACCEPT);
    RIG_UNTIL(g, !g->accepting);
    peer = rig_peer(g);
    sock = w->backend->accept_now(g->ring, g->listener);
    assert_true(sock >= 0);
    assert_true(fcntl(sock, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(!!(fcntl(sock, F_GETFL) & O_NONBLOCK), !!(status & O_NONBLOCK));
    close(sock);
    close(peer);
    rig_free(g);
}

static void close_one_of_thousands(const rig_world *w)
{
    uint64_t files = rig_real_raise_files();
    uint32_t count = files >= 18100 ? 9000 : (uint32_t)(files / 2 - 50);
    rig *g = rig_new(w, NULL);

    for (uint32_t i = 0; i < count; i++)
        rig_recv(g, rig_connect(g));
    for (uint32_t i = 0; i < count; i += count / 7) {
        rig_conn *c = &g->conns[i];

        rig_end(g, c, false);
        RIG_UNTIL(g, c->closed);
        assert_int_equal(c->recv_last, -ECANCELED);
        while (rig_peer_read(g, c, 1) != 0)
            rig_pump(g);
    }
    for (uint32_t i = 1; i < count; i += 100) { /* the others are alive */
        if (g->conns[i].sock < 0)
            continue;
        rig_peer_write_all(g, &g->conns[i], 10);
        RIG_UNTIL(g, g->conns[i].received == 10);
    }
    rig_free(g);
}

static void the_pool_grows_when_many_are_short(const rig_world *w)
{
    enum { COUNT = 200 };
    lr__ring_config config = {.recv_buffer_count = 2, .recv_buffer_max = 128};
    rig *g = rig_new(w, &config);
    uint64_t most = 0;

    for (int i = 0; i < COUNT; i++)
        rig_recv(g, rig_connect(g));
    for (int round = 0; round < 400 && most <= 2; round++) {
        for (uint32_t i = 0; i < COUNT; i++)
            (void)rig_peer_write(g, &g->conns[i], 100);
        for (uint32_t i = 0; i < COUNT; i++)
            RIG_UNTIL(g, g->conns[i].received == g->conns[i].written);
        g->hold = true; /* how many does it lend at most? */
        for (uint32_t i = 0; i < 10; i++)
            (void)rig_peer_write(g, &g->conns[i], 100);
        for (int i = 0; i < 10; i++)
            rig_pump(g);
        most = g->held_count > most ? g->held_count : most;
        g->hold = false;
        while (g->held_count > 0)
            rig_give_one(g);
        for (uint32_t i = 0; i < COUNT; i++)
            RIG_UNTIL(g, g->conns[i].received == g->conns[i].written);
    }
    assert_true(most > 2);
    rig_free(g);
}

const ring_contract_test ring_contract_real[] = {
    {"no_wake_from_another_thread_is_lost", no_wake_from_another_thread_is_lost, true},
    {"wakes_of_many_threads_do_not_disturb", wakes_of_many_threads_do_not_disturb, true},
    {"a_signal_handler_may_wake", a_signal_handler_may_wake, true},
    {"another_signal_does_not_end_a_wait", another_signal_does_not_end_a_wait, true},
    {"want_of_descriptors_is_told_and_passes", want_of_descriptors_is_told_and_passes, true},
    {"accepted_sockets_are_closed_on_exec", accepted_sockets_are_closed_on_exec, true},
    {"close_one_of_thousands", close_one_of_thousands, true},
    {"the_pool_grows_when_many_are_short", the_pool_grows_when_many_are_short, true},
    {NULL, NULL, false},
};
