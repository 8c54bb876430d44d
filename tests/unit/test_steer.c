/* SPDX-License-Identifier: MIT */
/* CPUs and threads, and when connections are steered to them. */
#include "support.h"

#include "core/base/compiler.h"
#include "core/run/steer.h"
#include "core/run/workers.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

enum { CPUS_MAX = 1024 };

static int cpus[CPUS_MAX];

static void the_cpus_are_those_of_the_system_in_order(void **state)
{
    uint32_t count = lr__cpus_allowed(cpus, CPUS_MAX);
    cpu_set_t set;

    (void)state;
    CPU_ZERO(&set);
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    assert_int_equal(count, CPU_COUNT(&set));
    for (uint32_t i = 0; i < count; i++) {
        assert_true(CPU_ISSET((unsigned)cpus[i], &set));
        if (i > 0)
            assert_true(cpus[i] > cpus[i - 1]);
    }
}

static void no_more_cpus_are_told_than_there_is_room_for(void **state)
{
    int few[2] = {-1, -1};

    (void)state;
    assert_int_equal(lr__cpus_allowed(few, 1), 1);
    assert_true(few[0] >= 0);
    assert_int_equal(few[1], -1);
}

typedef struct settled {
    int cpu;
    char name[16];
    cpu_set_t set;
} settled;

static void *settle_and_look(void *arg)
{
    settled *s = arg;

    lr__thread_settle(7, s->cpu);
    (void)pthread_getname_np(pthread_self(), s->name, sizeof(s->name));
    CPU_ZERO(&s->set);
    (void)sched_getaffinity(0, sizeof(s->set), &s->set);
    return NULL;
}

static void run(settled *s, int cpu)
{
    pthread_t thread;

    memset(s, 0, sizeof(*s));
    s->cpu = cpu;
    assert_int_equal(pthread_create(&thread, NULL, settle_and_look, s), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_thread_gets_its_name_and_its_cpu(void **state)
{
    uint32_t count = lr__cpus_allowed(cpus, CPUS_MAX);
    settled s;

    (void)state;
    run(&s, cpus[count - 1]);
    assert_string_equal(s.name, "lr-worker-7");
    assert_int_equal(CPU_COUNT(&s.set), 1);
    assert_true(CPU_ISSET((unsigned)cpus[count - 1], &s.set));
}

static void a_thread_without_a_cpu_runs_on_all(void **state)
{
    uint32_t count = lr__cpus_allowed(cpus, CPUS_MAX);
    settled s;

    (void)state;
    run(&s, -1);
    assert_string_equal(s.name, "lr-worker-7");
    assert_int_equal(CPU_COUNT(&s.set), count);
}

static void a_cpu_that_is_not_there_does_no_harm(void **state)
{
    uint32_t count = lr__cpus_allowed(cpus, CPUS_MAX);
    settled s;

    (void)state;
    run(&s, CPU_SETSIZE - 1);
    assert_int_equal(CPU_COUNT(&s.set), count);
}

static struct sockaddr_storage v4(uint32_t address)
{
    struct sockaddr_storage out = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&out;

    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(address);
    return out;
}

static struct sockaddr_storage v6(const struct in6_addr *address)
{
    struct sockaddr_storage out = {0};
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)&out;

    in->sin6_family = AF_INET6;
    in->sin6_addr = *address;
    return out;
}

static bool may(uint32_t count, bool pinned, lr_toggle steer, struct sockaddr_storage address)
{
    lr_workers workers;

    memset(&workers, 0, sizeof(workers));
    workers.count = count;
    workers.pinned = pinned;
    workers.steer = steer;
    return lr__workers_may_steer(&workers, &address);
}

static void steering_can_be_asked_for_and_forbidden(void **state)
{
    (void)state;
    assert_true(may(2, true, LR_ON, v4(0)));
    assert_true(may(2, true, LR_ON, v4(INADDR_LOOPBACK)));
    assert_false(may(CPUS_MAX, true, LR_OFF, v4(0)));
}

static void steering_needs_pinned_workers_and_more_than_one(void **state)
{
    (void)state;
    assert_false(may(1, true, LR_ON, v4(0)));
    assert_false(may(2, false, LR_ON, v4(0)));
    assert_false(may(1, true, LR_DEFAULT, v4(0)));
    assert_false(may(2, false, LR_DEFAULT, v4(0)));
}

static void by_default_loopback_is_never_steered(void **state)
{
    struct sockaddr_storage local = {0};

    (void)state;
    local.ss_family = AF_UNIX;
    assert_false(may(256, true, LR_DEFAULT, v4(INADDR_LOOPBACK)));
    assert_false(may(256, true, LR_DEFAULT, v4(0x7f123456)));
    assert_false(may(256, true, LR_DEFAULT, v6(&in6addr_loopback)));
    assert_false(may(256, true, LR_DEFAULT, local));
}

static void by_default_fewer_workers_than_cpus_are_not_steered(void **state)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);

    (void)state;
    if (online < 3)
        skip();
    assert_false(may((uint32_t)online - 1, true, LR_DEFAULT, v4(0)));
    assert_false(may((uint32_t)online - 1, true, LR_DEFAULT, v6(&in6addr_any)));
}

/* No machine has this many receive queues on one card. */
static void by_default_fewer_queues_than_workers_are_not_steered(void **state)
{
    (void)state;
    assert_false(may(100000, true, LR_DEFAULT, v4(0)));
    assert_false(may(100000, true, LR_DEFAULT, v6(&in6addr_any)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cpus_are_those_of_the_system_in_order),
        cmocka_unit_test(no_more_cpus_are_told_than_there_is_room_for),
        cmocka_unit_test(a_thread_gets_its_name_and_its_cpu),
        cmocka_unit_test(a_thread_without_a_cpu_runs_on_all),
        cmocka_unit_test(a_cpu_that_is_not_there_does_no_harm),
        cmocka_unit_test(steering_can_be_asked_for_and_forbidden),
        cmocka_unit_test(steering_needs_pinned_workers_and_more_than_one),
        cmocka_unit_test(by_default_loopback_is_never_steered),
        cmocka_unit_test(by_default_fewer_workers_than_cpus_are_not_steered),
        cmocka_unit_test(by_default_fewer_queues_than_workers_are_not_steered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
