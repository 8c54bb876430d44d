/* SPDX-License-Identifier: MIT */
/* Numbers of workers without threads: what is added is what is read, in structs of every size. */
#include "support.h"

#include "core/run/stats.h"
#include "core/run/worker.h"
#include "core/run/workers.h"

#include <lockring/stats.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4 };

typedef struct lines {
    char last[512];
    uint32_t count;
} lines;

static void on_line(lr_log_level level, const char *line, void *user)
{
    lines *l = user;

    if (level != LR_LOG_INFO || strncmp(line, "accept_imbalance ", 17) != 0)
        return;
    (void)snprintf(l->last, sizeof(l->last), "%s", line);
    l->count++;
}

static lr_workers *make_workers(uint32_t count, lines *l)
{
    lr_workers_options options = {LR_WORKERS_OPTIONS,    .worker_count = count,    .pin = LR_OFF,
                                  .ring = LR_RING_EPOLL, .log_level = LR_LOG_INFO, .log = on_line,
                                  .log_user = l};
    lr_workers *workers = NULL;

    assert_int_equal(lr_workers_new(&options, &workers, NULL), LR_OK);
    return workers;
}

static void accept_many(lr_workers *workers, uint32_t worker, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        lr__stats_accepted(workers->list[worker]);
}

static void imbalance_is_the_largest_over_the_mean(void **state)
{
    static const uint64_t even[] = {5, 5, 5, 5}, one[] = {0, 12, 0, 0}, some[] = {1, 2, 3, 6};

    (void)state;
    assert_float_equal(lr__imbalance(even, 4), 1, 1e-12);
    assert_float_equal(lr__imbalance(one, 4), 4, 1e-12);
    assert_float_equal(lr__imbalance(some, 4), 2, 1e-12);
    assert_float_equal(lr__imbalance(even, 0), 0, 1e-12);
    assert_float_equal(lr__imbalance((const uint64_t[]){0, 0}, 2), 0, 1e-12);
}

static void a_worker_that_gets_too_much_is_told_once(void **state)
{
    lines l = {.count = 0};
    lr_workers *workers = make_workers(WORKERS, &l);
    lr_stats stats = {LR_STATS};

    (void)state;
    accept_many(workers, 2, 999);
    assert_int_equal(l.count, 0);
    accept_many(workers, 2, 25); /* 1024: a look */
    assert_int_equal(l.count, 1);
    assert_string_equal(l.last, "accept_imbalance workers=4 accepted=1024 worker=2 "
                                "its_accepted=1024 max_over_mean=4.00");
    accept_many(workers, 2, 1024);
    assert_int_equal(l.count, 1);
    assert_int_equal(lr_stats_read(workers, &stats), LR_OK);
    assert_int_equal(stats.accepted, 2048);
    assert_float_equal(stats.imbalance, 4, 1e-12);
    lr_workers_free(workers);
}

static void twice_the_mean_and_small_numbers_are_not_told(void **state)
{
    lines l = {.count = 0};
    lr_workers *workers = make_workers(WORKERS, &l);

    (void)state;
    for (uint32_t i = 0; i < 2; i++) { /* looks at 256, 512 and 768 say nothing: fewer than 1000 */
        accept_many(workers, 0, 256);
        accept_many(workers, 1, 256);
    }
    assert_int_equal(l.count, 0); /* exactly twice the mean is not more */
    accept_many(workers, 0, 256);
    assert_int_equal(l.count, 1);
    lr_workers_free(workers);
}

static void failures_count_by_status_and_alert(void **state)
{
    lines l = {.count = 0};
    lr_workers *workers = make_workers(2, &l);
    lr_error found = {.status = LR_EALPN, .tls_alert = 120};
    lr_error told = {.status = LR_EALERT, .tls_alert = 48};
    lr_error strange = {.status = (lr_status)-642, .tls_alert = -1};
    lr_stats stats = {LR_STATS};

    (void)state;
    lr__stats_failed(&workers->list[0]->stats, &found, true, true);
    lr__stats_failed(&workers->list[1]->stats, &found, true, true);
    lr__stats_failed(&workers->list[1]->stats, &told, true, false);
    lr__stats_failed(&workers->list[1]->stats, &told, false, true);
    lr__stats_closed(&workers->list[1]->stats, &strange);
    lr__stats_closed(&workers->list[1]->stats, NULL);
    lr__stats_alert(&workers->list[1]->stats, true, 256); /* there is no such alert */
    assert_int_equal(lr_stats_read(workers, &stats), LR_OK);
    assert_int_equal(stats.handshakes_failed, 2);
    assert_int_equal(stats.alerts_sent[120], 2);
    assert_int_equal(stats.alerts_received[48], 2);
    for (uint32_t i = 0; i < LR_STATS_STATUSES; i++) {
        lr_status status = stats.failures[i].status;

        assert_int_equal(status, stats.closes[i].status);
        assert_int_equal(stats.failures[i].count, status == LR_EALPN    ? 2
                                                  : status == LR_EALERT ? 1
                                                                        : 0);
        assert_int_equal(stats.closes[i].count,
                         status == LR_EABORTED || (status == LR_OK && i == 0) ? 1 : 0);
    }
    lr_workers_free(workers);
}

static void structs_of_other_versions_are_filled_as_far_as_they_go(void **state)
{
    lines l = {.count = 0};
    lr_workers *workers = make_workers(1, &l);
    struct {
        lr_stats stats;
        uint64_t newer;
    } longer;
    lr_stats shorter;

    (void)state;
    accept_many(workers, 0, 3);
    memset(&longer, 0xaa, sizeof(longer));
    longer.stats.size = sizeof(longer);
    assert_int_equal(lr_stats_read(workers, &longer.stats), LR_OK);
    assert_int_equal(longer.stats.accepted, 3);
    assert_int_equal(longer.stats.size, sizeof(longer));
    assert_int_equal(longer.newer, 0);
    memset(&shorter, 0xaa, sizeof(shorter));
    shorter.size = offsetof(lr_stats, made);
    assert_int_equal(lr_stats_read_worker(workers, 0, &shorter), LR_OK);
    assert_int_equal(shorter.accepted, 3);
    assert_int_equal(shorter.made, 0xaaaaaaaaaaaaaaaau);
    shorter.size = 0;
    assert_int_equal(lr_stats_read(workers, &shorter), LR_EINVAL);
    shorter.size = sizeof(shorter);
    assert_int_equal(lr_stats_read_worker(workers, 1, &shorter), LR_EINVAL);
    lr_workers_free(workers);
}

static void buckets_are_told_in_order_and_cut_to_fit(void **state)
{
    lines l = {.count = 0};
    lr_workers *workers = make_workers(2, &l);
    lr_stats_bucket got[4];
    lr_stats stats = {LR_STATS};

    (void)state;
    assert_int_equal(lr_stats_buckets(workers, LR_NONE, LR_STATS_BATCH, got, 4), 0);
    lr__histogram_add(&workers->list[0]->stats.batch, 0);
    lr__histogram_add(&workers->list[0]->stats.batch, 7);
    lr__histogram_add(&workers->list[1]->stats.batch, 7);
    lr__histogram_add(&workers->list[1]->stats.batch, UINT64_MAX);
    assert_int_equal(lr_stats_buckets(workers, LR_NONE, LR_STATS_BATCH, got, 4), 3);
    assert_int_equal(got[0].upper, 0);
    assert_int_equal(got[0].count, 1);
    assert_int_equal(got[1].upper, 7);
    assert_int_equal(got[1].count, 2);
    assert_true(got[2].upper == UINT64_MAX);
    assert_int_equal(lr_stats_buckets(workers, 1, LR_STATS_BATCH, got, 1), 2);
    assert_int_equal(got[0].upper, 7);
    assert_int_equal(got[0].count, 1);
    assert_int_equal(lr_stats_buckets(workers, 2, LR_STATS_BATCH, got, 4), 0);
    assert_int_equal(lr_stats_buckets(workers, 0, (lr_stats_kind)9, got, 4), 0);
    assert_int_equal(lr_stats_read(workers, &stats), LR_OK);
    assert_int_equal(stats.batch.count, 4);
    assert_int_equal(stats.batch.steps[0], 1);
    assert_int_equal(stats.batch.steps[3], 2); /* 4..7 */
    assert_int_equal(stats.batch.steps[LR_STATS_STEPS - 1], 1);
    assert_int_equal(stats.batch.p50, 7);
    assert_true(stats.batch.max == UINT64_MAX);
    lr_workers_free(workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imbalance_is_the_largest_over_the_mean),
        cmocka_unit_test(a_worker_that_gets_too_much_is_told_once),
        cmocka_unit_test(twice_the_mean_and_small_numbers_are_not_told),
        cmocka_unit_test(failures_count_by_status_and_alert),
        cmocka_unit_test(structs_of_other_versions_are_filled_as_far_as_they_go),
        cmocka_unit_test(buckets_are_told_in_order_and_cut_to_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
