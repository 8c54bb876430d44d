/* SPDX-License-Identifier: MIT */
#include "proto/stats_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A number of lr_stats, and how Prometheus is told of it. Rows of one name stand together; the
 * first has the help. */
typedef struct metric {
    const char *field; /* its name in lr_stats and in JSON */
    size_t at;
    const char *name;
    const char *label; /* null: only the worker's */
    const char *help;
    bool is_gauge;
} metric;

#define COUNT(field, name, label, help)                                                            \
    {                                                                                              \
#field, offsetof(lr_stats, field), name, label, help, false                                \
    }
#define GAUGE(field, name, label, help)                                                            \
    {                                                                                              \
#field, offsetof(lr_stats, field), name, label, help, true                                 \
    }

static const metric metrics[] = {
    COUNT(accepted, "connections_accepted_total", NULL, "Sockets that listeners took."),
    COUNT(made, "connections_made_total", NULL, "Connections begun by clients of the program."),
    COUNT(adopted, "connections_adopted_total", NULL, "Connections that the program handed over."),
    COUNT(refused_connections, "connections_refused_total", "reason=\"connections\"",
          "Accepted and reset at once."),
    COUNT(refused_memory, "connections_refused_total", "reason=\"memory\"", NULL),
    COUNT(refused_sources, "connections_refused_total", "reason=\"source\"", NULL),
    COUNT(accept_pauses, "accept_pauses_total", NULL,
          "Times that accepting paused for want of descriptors or memory."),
    GAUGE(open_tls, "connections_open", "kind=\"tls\"", "Connections that are open."),
    GAUGE(open_plain, "connections_open", "kind=\"plain\"", NULL),
    GAUGE(open_made, "connections_open", "kind=\"made\"", NULL),
    GAUGE(handshaking, "connections_handshaking", NULL, "Open and not yet secure."),
    COUNT(handshakes_full, "handshakes_total", "kind=\"full\"", "TLS handshakes that are over."),
    COUNT(handshakes_resumed, "handshakes_total", "kind=\"resumed\"", NULL),
    COUNT(handshakes_failed, "handshakes_total", "kind=\"failed\"", NULL),
    COUNT(tickets_unknown_key, "resumptions_refused_total", "reason=\"unknown_key\"",
          "Sessions that were offered and not resumed."),
    COUNT(sessions_refused, "resumptions_refused_total", "reason=\"unfit\"", NULL),
    COUNT(wire_in, "wire_bytes_total", "direction=\"in\"", "Bytes on the sockets."),
    COUNT(wire_out, "wire_bytes_total", "direction=\"out\"", NULL),
    COUNT(app_in, "app_bytes_total", "direction=\"in\"", "Bytes of plaintext."),
    COUNT(app_out, "app_bytes_total", "direction=\"out\"", NULL),
    COUNT(hooks_stalled, "hooks_stalled_total", NULL, "Hooks above the threshold of stalls."),
    GAUGE(connections, "live_objects", "kind=\"connections\"", "Objects that are live."),
    GAUGE(engines, "live_objects", "kind=\"engines\"", NULL),
    GAUGE(buffers, "live_objects", "kind=\"buffers\"", NULL),
    GAUGE(watches, "live_objects", "kind=\"watches\"", NULL),
    GAUGE(files, "live_objects", "kind=\"files\"", NULL),
    GAUGE(timers, "live_objects", "kind=\"timers\"", NULL),
    GAUGE(replicas, "live_objects", "kind=\"replicas\"", NULL),
    GAUGE(buffer_bytes, "buffer_bytes", NULL, "Capacity of the buffers in use."),
    GAUGE(parked_bytes, "parked_bytes", NULL, "Input of connections that are paused."),
    COUNT(ring_waits, "ring_waits_total", NULL, "Waits that entered the kernel."),
    COUNT(ring_completions, "ring_completions_total", NULL, "Completions that came back."),
    COUNT(ring_rearmed_buffers, "ring_rearmed_total", "reason=\"buffers\"",
          "Operations that were started again."),
    COUNT(ring_rearmed_ended, "ring_rearmed_total", "reason=\"ended\"", NULL),
    COUNT(ring_overflows, "ring_overflows_total", NULL, "Waits that found the queue overflown."),
    COUNT(ring_stale, "ring_stale_total", NULL, "Completions for what was gone."),
    GAUGE(ring_buffers_lent, "ring_buffers_lent", NULL, "Receive buffers that connections hold."),
};

/* Those that no worker has of its own. */
static const metric totals[] = {
    GAUGE(heap_blocks, "heap_blocks", NULL, "Allocations of the library that are live."),
    GAUGE(heap_bytes, "heap_bytes", NULL, "Their bytes."),
};

/* scale: units per unit of Prometheus. Buckets are the powers of two from first to last. */
typedef struct distribution {
    const char *field;
    size_t at;
    const char *name, *help;
    double scale;
    uint32_t first, last;
} distribution;

#define DISTRIBUTION(field, name, help, scale, first, last)                                        \
    {                                                                                              \
#field, offsetof(lr_stats, field), name, help, scale, first, last                          \
    }

static const distribution distributions[] = {
    DISTRIBUTION(handshake_ns, "handshake_seconds",
                 "From the complete ClientHello to the end of the handshake.", 1e9, 10, 36),
    DISTRIBUTION(turn_ns, "turn_seconds", "Turns of workers, without their waits.", 1e9, 10, 34),
    DISTRIBUTION(batch, "batch_size", "Completions per turn.", 1, 0, 9),
};

/* The alerts of RFC 8446 6 and of those before it that still come. */
static const uint8_t alerts[] = {0,  10, 20,  21,  22,  30,  40,  41,  42,  43,  44,
                                 45, 46, 47,  48,  49,  50,  51,  60,  70,  71,  80,
                                 86, 90, 100, 109, 110, 111, 112, 113, 115, 116, 120};

static uint64_t number_at(const lr_stats *stats, size_t at)
{
    uint64_t number;

    memcpy(&number, (const char *)stats + at, sizeof(number));
    return number;
}

static const lr_stats_histogram *histogram_at(const lr_stats *stats, const distribution *d)
{
    return (const lr_stats_histogram *)(const void *)((const char *)stats + d->at);
}

/* The text. */

__attribute__((format(printf, 2, 3))) static void add(lr_stats_text *out, const char *format, ...)
{
    va_list args;
    int len;

    if (out->failed)
        return;
    va_start(args, format);
    len = vsnprintf(out->bytes ? out->bytes + out->len : NULL, out->cap - out->len, format, args);
    va_end(args);
    if (len >= 0 && (size_t)len >= out->cap - out->len) {
        size_t cap = (out->len + (size_t)len + 1) * 2;
        char *bytes = realloc(out->bytes, cap);

        if (!bytes) {
            out->failed = true;
            return;
        }
        out->bytes = bytes;
        out->cap = cap;
        va_start(args, format);
        len = vsnprintf(out->bytes + out->len, out->cap - out->len, format, args);
        va_end(args);
    }
    if (len < 0)
        out->failed = true;
    else
        out->len += (size_t)len;
}

void lr_stats_text_free(lr_stats_text *text)
{
    free(text->bytes);
    memset(text, 0, sizeof(*text));
}

/* The view. */

lr_status lr_stats_view_read(const lr_workers *workers, lr_stats_view *view)
{
    struct timespec now;
    uint32_t count = lr_workers_count(workers);

    memset(view, 0, sizeof(*view));
    view->workers = calloc(count, sizeof(*view->workers));
    if (!view->workers)
        return LR_ENOMEM;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    view->time_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    view->version = lr_version();
    view->ring = lr_workers_ring(workers);
    view->total.size = sizeof(view->total);
    (void)lr_stats_read(workers, &view->total);
    for (uint32_t i = 0; i < count; i++) {
        view->workers[i].size = sizeof(view->workers[i]);
        (void)lr_stats_read_worker(workers, i, &view->workers[i]);
    }
    view->handshake_bucket_count = lr_stats_buckets(workers, LR_NONE, LR_STATS_HANDSHAKE_NS,
                                                    view->handshake_buckets, LR_STATS_BUCKETS);
    return LR_OK;
}

void lr_stats_view_free(lr_stats_view *view)
{
    free(view->workers);
    view->workers = NULL;
}

/* Prometheus. */

static void head(lr_stats_text *out, const char *name, const char *type, const char *help)
{
    add(out, "# HELP lockring_%s %s\n# TYPE lockring_%s %s\n", name, help, name, type);
}

static void put_metric(const lr_stats_view *view, const metric *m, lr_stats_text *out)
{
    if (m->help)
        head(out, m->name, m->is_gauge ? "gauge" : "counter", m->help);
    for (uint32_t i = 0; i < view->total.worker_count; i++)
        add(out, "lockring_%s{worker=\"%u\"%s%s} %llu\n", m->name, i, m->label ? "," : "",
            m->label ? m->label : "", (unsigned long long)number_at(&view->workers[i], m->at));
}

static void put_distribution(const lr_stats_view *view, const distribution *d, lr_stats_text *out)
{
    head(out, d->name, "histogram", d->help);
    for (uint32_t i = 0; i < view->total.worker_count; i++) {
        const lr_stats_histogram *h = histogram_at(&view->workers[i], d);
        uint64_t below = 0;

        for (uint32_t step = 0; step <= d->last; step++) {
            below += h->steps[step];
            if (step >= d->first)
                add(out, "lockring_%s_bucket{worker=\"%u\",le=\"%.12g\"} %llu\n", d->name, i,
                    (double)((1ull << step) - 1) / d->scale, (unsigned long long)below);
        }
        add(out, "lockring_%s_bucket{worker=\"%u\",le=\"+Inf\"} %llu\n", d->name, i,
            (unsigned long long)h->count);
        add(out, "lockring_%s_sum{worker=\"%u\"} %.9f\n", d->name, i, (double)h->sum / d->scale);
        add(out, "lockring_%s_count{worker=\"%u\"} %llu\n", d->name, i,
            (unsigned long long)h->count);
    }
}

static void put_statuses(const lr_stats *total, const lr_stats_status *list, const char *name,
                         const char *help, lr_stats_text *out)
{
    head(out, name, "counter", help);
    for (uint32_t i = 0; i < total->status_count; i++)
        add(out, "lockring_%s{status=\"%s\"} %llu\n", name, lr_status_name(list[i].status),
            (unsigned long long)list[i].count);
}

static void put_alerts(const uint64_t *list, const char *direction, lr_stats_text *out)
{
    size_t known = 0;

    for (uint32_t i = 0; i < LR_STATS_ALERTS; i++) {
        bool is_known = known < sizeof(alerts) && alerts[known] == i;

        known += is_known;
        if (is_known || list[i] != 0)
            add(out, "lockring_alerts_total{direction=\"%s\",alert=\"%u\"} %llu\n", direction, i,
                (unsigned long long)list[i]);
    }
}

static void put_total(const char *name, const char *help, uint64_t value, lr_stats_text *out)
{
    head(out, name, "gauge", help);
    add(out, "lockring_%s %llu\n", name, (unsigned long long)value);
}

void lr_stats_prometheus(const lr_stats_view *view, lr_stats_text *out)
{
    const lr_stats *total = &view->total;

    head(out, "info", "gauge", "What serves.");
    add(out, "lockring_info{version=\"%s\",ring=\"%s\"} 1\n", view->version, view->ring);
    put_total("workers", "Workers.", total->worker_count, out);
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
        put_metric(view, &metrics[i], out);
    for (size_t i = 0; i < sizeof(distributions) / sizeof(distributions[0]); i++)
        put_distribution(view, &distributions[i], out);
    put_statuses(total, total->failures, "failures_total",
                 "Connections that failed before they were secure.", out);
    put_statuses(total, total->closes, "closes_total", "How connections ended; LR_OK is clean.",
                 out);
    head(out, "alerts_total", "counter", "Fatal alerts, and close_notify (0).");
    put_alerts(total->alerts_sent, "sent", out);
    put_alerts(total->alerts_received, "received", out);
    head(out, "accept_imbalance", "gauge",
         "The most connections that one worker accepted, over the mean.");
    add(out, "lockring_accept_imbalance %.6g\n", total->imbalance);
    if (total->certificate_not_after != 0) {
        head(out, "certificate_not_after_seconds", "gauge",
             "Earliest expiry of a certificate in use, since 1970.");
        add(out, "lockring_certificate_not_after_seconds %lld\n",
            (long long)total->certificate_not_after);
    }
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++)
        put_total(totals[i].name, totals[i].help, number_at(total, totals[i].at), out);
}

/* JSON. Nothing in it needs an escape: names are the library's. */

static void json_statuses(const lr_stats *stats, const lr_stats_status *list, const char *name,
                          lr_stats_text *out)
{
    const char *comma = "";

    add(out, ",\"%s\":{", name);
    for (uint32_t i = 0; i < stats->status_count; i++) {
        if (list[i].count == 0)
            continue;
        add(out, "%s\"%s\":%llu", comma, lr_status_name(list[i].status),
            (unsigned long long)list[i].count);
        comma = ",";
    }
    add(out, "}");
}

static void json_alerts(const uint64_t *list, const char *name, lr_stats_text *out)
{
    const char *comma = "";

    add(out, ",\"%s\":{", name);
    for (uint32_t i = 0; i < LR_STATS_ALERTS; i++) {
        if (list[i] == 0)
            continue;
        add(out, "%s\"%u\":%llu", comma, i, (unsigned long long)list[i]);
        comma = ",";
    }
    add(out, "}");
}

static void json_histogram(const lr_stats_histogram *h, const char *name, lr_stats_text *out)
{
    add(out,
        ",\"%s\":{\"count\":%llu,\"sum\":%llu,\"max\":%llu,\"p50\":%llu,\"p90\":%llu,"
        "\"p99\":%llu,\"p999\":%llu,\"steps\":[",
        name, (unsigned long long)h->count, (unsigned long long)h->sum, (unsigned long long)h->max,
        (unsigned long long)h->p50, (unsigned long long)h->p90, (unsigned long long)h->p99,
        (unsigned long long)h->p999);
    for (uint32_t i = 0; i < LR_STATS_STEPS; i++)
        add(out, "%s%llu", i == 0 ? "" : ",", (unsigned long long)h->steps[i]);
    add(out, "]}");
}

static void json_stats(const lr_stats *stats, lr_stats_text *out)
{
    add(out, "{\"imbalance\":%.6g,\"certificate_not_after\":%lld", stats->imbalance,
        (long long)stats->certificate_not_after);
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
        add(out, ",\"%s\":%llu", metrics[i].field,
            (unsigned long long)number_at(stats, metrics[i].at));
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++)
        add(out, ",\"%s\":%llu", totals[i].field,
            (unsigned long long)number_at(stats, totals[i].at));
    for (size_t i = 0; i < sizeof(distributions) / sizeof(distributions[0]); i++)
        json_histogram(histogram_at(stats, &distributions[i]), distributions[i].field, out);
    json_statuses(stats, stats->failures, "failures", out);
    json_statuses(stats, stats->closes, "closes", out);
    json_alerts(stats->alerts_sent, "alerts_sent", out);
    json_alerts(stats->alerts_received, "alerts_received", out);
    add(out, "}");
}

void lr_stats_json(const lr_stats_view *view, lr_stats_text *out)
{
    add(out, "{\"version\":\"%s\",\"ring\":\"%s\",\"time_ms\":%lld,\"worker_count\":%u,\"total\":",
        view->version, view->ring, (long long)view->time_ms, view->total.worker_count);
    json_stats(&view->total, out);
    add(out, ",\"workers\":[");
    for (uint32_t i = 0; i < view->total.worker_count; i++) {
        add(out, "%s", i == 0 ? "" : ",");
        json_stats(&view->workers[i], out);
    }
    add(out, "],\"handshake_buckets\":[");
    for (size_t i = 0; i < view->handshake_bucket_count; i++)
        add(out, "%s[%llu,%llu]", i == 0 ? "" : ",",
            (unsigned long long)view->handshake_buckets[i].upper,
            (unsigned long long)view->handshake_buckets[i].count);
    add(out, "]}\n");
}
