/* SPDX-License-Identifier: MIT */
/* What is rendered is read back by two small parsers that take nothing that is not in the grammar:
 * Prometheus' text exposition format 0.0.4, and JSON (RFC 8259). */
#include "support.h"

#include "core/base/compiler.h"
#include "proto/stats_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 2, SERIES_MAX = 2048 };

/* A view with a number of its own in every field. */
typedef struct scene {
    lr_stats_view view;
    lr_stats workers[WORKERS];
} scene;

static void fill_histogram(lr_stats_histogram *h, uint64_t seed)
{
    h->p50 = seed + 50;
    h->p90 = seed + 90;
    h->p99 = seed + 99;
    h->p999 = seed + 999;
    h->max = seed + 1000;
    h->sum = seed + 2000;
    for (uint32_t i = 0; i < LR_STATS_STEPS; i++) {
        h->steps[i] = seed % 7 + i % 3;
        h->count += h->steps[i];
    }
}

static void fill(lr_stats *stats, uint64_t seed)
{
    uint64_t *numbers[] = {
        &stats->accepted,
        &stats->made,
        &stats->refused_connections,
        &stats->refused_memory,
        &stats->accept_pauses,
        &stats->open_tls,
        &stats->open_plain,
        &stats->open_made,
        &stats->handshaking,
        &stats->handshakes_full,
        &stats->handshakes_resumed,
        &stats->handshakes_failed,
        &stats->wire_in,
        &stats->wire_out,
        &stats->app_in,
        &stats->app_out,
        &stats->hooks_stalled,
        &stats->connections,
        &stats->engines,
        &stats->buffers,
        &stats->buffer_bytes,
        &stats->watches,
        &stats->files,
        &stats->timers,
        &stats->parked_bytes,
        &stats->replicas,
        &stats->ring_waits,
        &stats->ring_completions,
        &stats->ring_rearmed_buffers,
        &stats->ring_rearmed_ended,
        &stats->ring_overflows,
        &stats->ring_stale,
        &stats->ring_buffers_lent,
        &stats->heap_blocks,
        &stats->heap_bytes,
    };

    stats->size = sizeof(*stats);
    for (size_t i = 0; i < LR_ARRAY_COUNT(numbers); i++)
        *numbers[i] = seed + i;
    stats->imbalance = 1.5;
    stats->certificate_not_after = 2000000000;
    stats->failures[0].status = stats->closes[0].status = LR_OK;
    stats->failures[1] = (lr_stats_status){LR_EALPN, seed + 70};
    stats->closes[1] = (lr_stats_status){LR_EALPN, seed + 71};
    stats->status_count = 2;
    stats->alerts_sent[120] = seed + 80;
    stats->alerts_received[200] = seed + 81; /* that nobody has defined */
    fill_histogram(&stats->handshake_ns, seed + 3000);
    fill_histogram(&stats->turn_ns, seed + 4000);
    fill_histogram(&stats->batch, seed + 5000);
}

static void scene_init(scene *s)
{
    memset(s, 0, sizeof(*s));
    s->view = (lr_stats_view){
        .version = "1.2.3", .ring = "uring", .time_ms = 1700000000123, .workers = s->workers};
    s->view.handshake_bucket_count = 2;
    s->view.handshake_buckets[0] = (lr_stats_bucket){1023, 4};
    s->view.handshake_buckets[1] = (lr_stats_bucket){2047, 9};
    fill(&s->view.total, 100000);
    s->view.total.worker_count = WORKERS;
    for (uint32_t i = 0; i < WORKERS; i++)
        fill(&s->workers[i], 1000000 * (i + 1));
}

/* Prometheus. */

typedef struct series {
    char name[400]; /* with its labels */
    char value[40];
} series;

typedef struct page {
    series all[SERIES_MAX];
    uint32_t count;
    char family[128], type[16]; /* of the last TYPE */
    char families[64][128];
    uint32_t family_count;
    double le; /* of the last bucket */
    double bucket;
} page;

static const char *take_name(const char *at)
{
    assert_true(isalpha((unsigned char)*at) || *at == '_');
    while (isalnum((unsigned char)*at) || *at == '_' || *at == ':')
        at++;
    return at;
}

static const char *take_labels(const char *at)
{
    if (*at != '{')
        return at;
    do {
        at = take_name(at + 1);
        assert_true(at[0] == '=' && at[1] == '"');
        for (at += 2; *at != '"'; at++)
            assert_true(*at != '\n' && *at != '\\' && *at != '\0');
        at++;
    } while (*at == ',');
    assert_int_equal(*at, '}');
    return at + 1;
}

static void take_comment(page *p, const char *line)
{
    char kind[8], name[128];
    int at = 0;

    assert_int_equal(sscanf(line, "# %7s %127s %n", kind, name, &at), 2);
    assert_true(line[at] != '\0');
    if (strcmp(kind, "HELP") == 0) {
        for (uint32_t i = 0; i < p->family_count; i++)
            assert_string_not_equal(p->families[i], name); /* one group of lines each */
        (void)snprintf(p->families[p->family_count++], sizeof(p->families[0]), "%s", name);
        p->family[0] = '\0';
        return;
    }
    assert_string_equal(kind, "TYPE");
    assert_string_equal(name, p->families[p->family_count - 1]);
    (void)snprintf(p->family, sizeof(p->family), "%s", name);
    (void)snprintf(p->type, sizeof(p->type), "%s", line + at);
    assert_true(strcmp(p->type, "counter") == 0 || strcmp(p->type, "gauge") == 0 ||
                strcmp(p->type, "histogram") == 0);
    if (strcmp(p->type, "counter") == 0)
        assert_string_equal(name + strlen(name) - 6, "_total");
}

/* Buckets rise in bound and count, up to the count of all. */
static void check_bucket(page *p, const char *suffix, const series *s)
{
    const char *le = strstr(s->name, "le=\"");
    double value = strtod(s->value, NULL);

    if (strncmp(suffix, "_bucket{", 8) == 0) {
        double bound;

        assert_non_null(le);
        bound = strtod(le + 4, NULL); /* +Inf too */
        if (p->le < 0) {
            p->bucket = 0;
        } else {
            assert_true(bound > p->le);
        }
        assert_true(value >= p->bucket);
        p->le = bound;
        p->bucket = value;
        return;
    }
    assert_null(le);
    if (strncmp(suffix, "_count", 6) == 0) {
        assert_float_equal(value, p->bucket, 0);
        p->le = -1;
    } else {
        assert_true(strncmp(suffix, "_sum", 4) == 0);
        assert_true(p->le > 1e300);
    }
}

static void take_sample(page *p, const char *line)
{
    const char *end = take_labels(take_name(line));
    series *s = &p->all[p->count++];
    char *rest;

    assert_true(p->count < SERIES_MAX);
    assert_int_equal(*end, ' ');
    (void)snprintf(s->name, sizeof(s->name), "%.*s", (int)(end - line), line);
    (void)snprintf(s->value, sizeof(s->value), "%s", end + 1);
    (void)strtod(end + 1, &rest);
    assert_true(rest != end + 1 && *rest == '\0');
    assert_true(p->family[0] != '\0');
    assert_true(strncmp(line, p->family, strlen(p->family)) == 0);
    for (uint32_t i = 0; i + 1 < p->count; i++)
        assert_string_not_equal(p->all[i].name, s->name);
    if (strcmp(p->type, "histogram") == 0)
        check_bucket(p, line + strlen(p->family), s);
    else
        assert_true(line[strlen(p->family)] == '{' || line[strlen(p->family)] == ' ');
}

static void parse_page(page *p, char *text)
{
    char *line = text;

    memset(p, 0, sizeof(*p));
    p->le = -1;
    while (*line != '\0') {
        char *end = strchr(line, '\n');

        assert_non_null(end);
        *end = '\0';
        if (*line == '#')
            take_comment(p, line);
        else
            take_sample(p, line);
        line = end + 1;
    }
}

static const char *value_of(const page *p, const char *name)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (strcmp(p->all[i].name, name) == 0)
            return p->all[i].value;
    }
    fail_msg("there is no %s", name);
    return "";
}

static void prometheus_reads_back_every_number(void **state)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"lockring_info{version=\"1.2.3\",ring=\"uring\"}", "1"},
        {"lockring_workers", "2"},
        {"lockring_connections_accepted_total{worker=\"0\"}", "1000000"},
        {"lockring_connections_accepted_total{worker=\"1\"}", "2000000"},
        {"lockring_connections_made_total{worker=\"0\"}", "1000001"},
        {"lockring_connections_refused_total{worker=\"0\",reason=\"connections\"}", "1000002"},
        {"lockring_connections_refused_total{worker=\"0\",reason=\"memory\"}", "1000003"},
        {"lockring_accept_pauses_total{worker=\"0\"}", "1000004"},
        {"lockring_connections_open{worker=\"0\",kind=\"tls\"}", "1000005"},
        {"lockring_connections_open{worker=\"0\",kind=\"plain\"}", "1000006"},
        {"lockring_connections_open{worker=\"0\",kind=\"made\"}", "1000007"},
        {"lockring_connections_handshaking{worker=\"0\"}", "1000008"},
        {"lockring_handshakes_total{worker=\"0\",kind=\"full\"}", "1000009"},
        {"lockring_handshakes_total{worker=\"0\",kind=\"resumed\"}", "1000010"},
        {"lockring_handshakes_total{worker=\"1\",kind=\"failed\"}", "2000011"},
        {"lockring_wire_bytes_total{worker=\"0\",direction=\"in\"}", "1000012"},
        {"lockring_wire_bytes_total{worker=\"0\",direction=\"out\"}", "1000013"},
        {"lockring_app_bytes_total{worker=\"0\",direction=\"in\"}", "1000014"},
        {"lockring_app_bytes_total{worker=\"0\",direction=\"out\"}", "1000015"},
        {"lockring_hooks_stalled_total{worker=\"0\"}", "1000016"},
        {"lockring_live_objects{worker=\"0\",kind=\"connections\"}", "1000017"},
        {"lockring_live_objects{worker=\"0\",kind=\"engines\"}", "1000018"},
        {"lockring_live_objects{worker=\"0\",kind=\"buffers\"}", "1000019"},
        {"lockring_buffer_bytes{worker=\"0\"}", "1000020"},
        {"lockring_live_objects{worker=\"0\",kind=\"watches\"}", "1000021"},
        {"lockring_live_objects{worker=\"0\",kind=\"files\"}", "1000022"},
        {"lockring_live_objects{worker=\"0\",kind=\"timers\"}", "1000023"},
        {"lockring_parked_bytes{worker=\"0\"}", "1000024"},
        {"lockring_live_objects{worker=\"0\",kind=\"replicas\"}", "1000025"},
        {"lockring_ring_waits_total{worker=\"0\"}", "1000026"},
        {"lockring_ring_completions_total{worker=\"0\"}", "1000027"},
        {"lockring_ring_rearmed_total{worker=\"0\",reason=\"buffers\"}", "1000028"},
        {"lockring_ring_rearmed_total{worker=\"0\",reason=\"ended\"}", "1000029"},
        {"lockring_ring_overflows_total{worker=\"0\"}", "1000030"},
        {"lockring_ring_stale_total{worker=\"0\"}", "1000031"},
        {"lockring_ring_buffers_lent{worker=\"0\"}", "1000032"},
        {"lockring_heap_blocks", "100033"},
        {"lockring_heap_bytes", "100034"},
        {"lockring_failures_total{status=\"LR_EALPN\"}", "100070"},
        {"lockring_closes_total{status=\"LR_EALPN\"}", "100071"},
        {"lockring_closes_total{status=\"LR_OK\"}", "0"},
        {"lockring_alerts_total{direction=\"sent\",alert=\"120\"}", "100080"},
        {"lockring_alerts_total{direction=\"sent\",alert=\"40\"}", "0"},
        {"lockring_alerts_total{direction=\"received\",alert=\"200\"}", "100081"},
        {"lockring_accept_imbalance", "1.5"},
        {"lockring_certificate_not_after_seconds", "2000000000"},
        {"lockring_handshake_seconds_sum{worker=\"0\"}", "0.001005000"},
        {"lockring_batch_size_sum{worker=\"0\"}", "1007000.000000000"},
    };
    static page p;
    static scene s;
    lr_stats_text text = {0};

    (void)state;
    scene_init(&s);
    lr_stats_prometheus(&s.view, &text);
    assert_false(text.failed);
    assert_int_equal(strlen(text.bytes), text.len);
    parse_page(&p, text.bytes);
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++)
        assert_string_equal(value_of(&p, rows[i].name), rows[i].value);
    lr_stats_text_free(&text);
}

static void a_bucket_of_prometheus_counts_all_below_its_bound(void **state)
{
    static page p;
    static scene s;
    lr_stats_text text = {0};
    lr_stats_histogram *h = &s.workers[0].handshake_ns;

    (void)state;
    scene_init(&s);
    memset(h, 0, sizeof(*h));
    h->steps[3] = 5;  /* below 8 ns */
    h->steps[11] = 7; /* 1024..2047 ns */
    h->steps[40] = 1; /* minutes */
    h->count = 13;
    lr_stats_prometheus(&s.view, &text);
    parse_page(&p, text.bytes);
    assert_string_equal(value_of(&p, "lockring_handshake_seconds_bucket{worker=\"0\","
                                     "le=\"1.023e-06\"}"),
                        "5");
    assert_string_equal(value_of(&p, "lockring_handshake_seconds_bucket{worker=\"0\","
                                     "le=\"2.047e-06\"}"),
                        "12");
    assert_string_equal(value_of(&p, "lockring_handshake_seconds_bucket{worker=\"0\","
                                     "le=\"68.719476735\"}"),
                        "12");
    assert_string_equal(value_of(&p, "lockring_handshake_seconds_bucket{worker=\"0\","
                                     "le=\"+Inf\"}"),
                        "13");
    lr_stats_text_free(&text);
}

/* JSON: takes a value; where path leads to it, *found is where it begins. A path is keys and
 * indices: "workers.1.accepted". */

static const char *json_value(const char *at, const char *path, const char **found);

static const char *json_text(const char *at)
{
    assert_int_equal(*at, '"');
    for (at++; *at != '"'; at++)
        assert_true((unsigned char)*at >= 0x20 && *at != '\\');
    return at + 1;
}

/* What is behind the first step of path if that step is this one; else null. */
static const char *step_of(const char *path, const char *name, size_t len)
{
    if (!path || strncmp(path, name, len) != 0)
        return NULL;
    if (path[len] == '.')
        return path + len + 1;
    return path[len] == '\0' ? path + len : NULL;
}

static const char *json_members(const char *at, const char *path, const char **found, bool object)
{
    char close = object ? '}' : ']';
    char index[16];
    uint32_t count = 0;

    if (at[1] == close)
        return at + 2;
    do {
        const char *name, *step;

        at++;
        name = at + 1;
        if (object) {
            at = json_text(at);
            step = step_of(path, name, (size_t)(at - 1 - name));
            assert_int_equal(*at, ':');
            at++;
        } else {
            (void)snprintf(index, sizeof(index), "%u", count++);
            step = step_of(path, index, strlen(index));
        }
        at = json_value(at, step, found);
    } while (*at == ',');
    assert_int_equal(*at, close);
    return at + 1;
}

static const char *json_value(const char *at, const char *path, const char **found)
{
    char *end;

    if (path && *path == '\0')
        *found = at;
    if (*at == '{' || *at == '[')
        return json_members(at, path, found, *at == '{');
    if (*at == '"')
        return json_text(at);
    assert_true(isdigit((unsigned char)*at) || *at == '-');
    if (*at == '0')
        assert_false(isdigit((unsigned char)at[1]));
    (void)strtod(at, &end);
    return end;
}

static void json_reads_back_every_number(void **state)
{
    static const struct {
        const char *path, *value;
    } rows[] = {
        {"version", "\"1.2.3\","},
        {"ring", "\"uring\","},
        {"time_ms", "1700000000123,"},
        {"worker_count", "2,"},
        {"total.accepted", "100000,"},
        {"total.app_out", "100015,"},
        {"total.heap_bytes", "100034,"},
        {"total.imbalance", "1.5,"},
        {"total.certificate_not_after", "2000000000,"},
        {"total.handshake_ns.p50", "103050,"},
        {"total.handshake_ns.p99", "103099,"},
        {"total.turn_ns.max", "105000,"},
        {"total.batch.sum", "107000,"},
        {"total.batch.steps.40", "1]"},
        {"total.failures.LR_EALPN", "100070}"},
        {"total.closes.LR_EALPN", "100071}"},
        {"total.alerts_sent.120", "100080}"},
        {"total.alerts_received.200", "100081}"},
        {"workers.0.accepted", "1000000,"},
        {"workers.1.accepted", "2000000,"},
        {"workers.1.handshakes_failed", "2000011,"},
        {"workers.1.ring_buffers_lent", "2000032,"},
        {"handshake_buckets.1", "[2047,9]]"},
    };
    static scene s;
    lr_stats_text text = {0};

    (void)state;
    scene_init(&s);
    lr_stats_json(&s.view, &text);
    assert_false(text.failed);
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++) {
        const char *found = NULL;

        assert_string_equal(json_value(text.bytes, rows[i].path, &found), "\n");
        if (!found || strncmp(found, rows[i].value, strlen(rows[i].value)) != 0)
            fail_msg("%s is %.24s", rows[i].path, found ? found : "not there");
    }
    lr_stats_text_free(&text);
}

static void a_view_of_real_workers_renders_in_both(void **state)
{
    static page p;
    lr_workers_options options = {LR_WORKERS_OPTIONS, .worker_count = 2, .ring = LR_RING_EPOLL};
    lr_workers *workers = NULL;
    lr_stats_view view;
    lr_stats_text text = {0}, json = {0};
    const char *found = NULL;

    (void)state;
    assert_int_equal(lr_workers_new(&options, &workers, NULL), LR_OK);
    assert_int_equal(lr_stats_view_read(workers, &view), LR_OK);
    assert_true(view.time_ms > 1700000000000);
    lr_stats_prometheus(&view, &text);
    parse_page(&p, text.bytes);
    assert_string_equal(value_of(&p, "lockring_connections_accepted_total{worker=\"1\"}"), "0");
    assert_string_equal(value_of(&p, "lockring_failures_total{status=\"LR_ENOTTLS\"}"), "0");
    lr_stats_json(&view, &json);
    assert_string_equal(json_value(json.bytes, "ring", &found), "\n");
    assert_true(strncmp(found, "\"epoll\"", 7) == 0);
    lr_stats_text_free(&text);
    lr_stats_text_free(&json);
    lr_stats_view_free(&view);
    lr_workers_free(workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prometheus_reads_back_every_number),
        cmocka_unit_test(a_bucket_of_prometheus_counts_all_below_its_bound),
        cmocka_unit_test(json_reads_back_every_number),
        cmocka_unit_test(a_view_of_real_workers_renders_in_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
