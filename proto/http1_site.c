/* SPDX-License-Identifier: MIT */
/* proto/http1_site.c: the site, what each worker keeps for it, and the memory of exchanges.
 *
 * A worker makes its part on its first request and alone works with it; other threads only read the
 * counters. Exchanges are kept for the next request, a bounded number of them, so that a steady
 * flow of requests does not allocate. */
#include "proto/http1_conn.h"

#include <stdlib.h>
#include <string.h>

static const uint16_t refusals[LR_HTTP_REFUSALS] = {400, 408, 413, 414, 417, 431, 501, 505};

uint16_t lr_http_refusal_status(unsigned index)
{
    return index < LR_HTTP_REFUSALS ? refusals[index] : 0;
}

lr_status lr_http_site_new(const lr_http_site_options *options, lr_http_site **out)
{
    lr_http_site *site;

    *out = NULL;
    if (!options || options->size != sizeof(*options) || !options->on_request)
        return LR_EINVAL;
    site = calloc(1, sizeof(*site));
    if (!site)
        return LR_ENOMEM;
    site->options = *options;
    site->options.limits = lr_http_limits_of(&options->limits);
    if (options->header_timeout_ms == 0)
        site->options.header_timeout_ms = 10000;
    if (options->drain_wait_ms == 0)
        site->options.drain_wait_ms = 2000;
    *out = site;
    return LR_OK;
}

static void drop_blocks(lr_http_exchange *x)
{
    if (x->text != x->text_room)
        free(x->text);
    if (x->head.headers != x->fields)
        free(x->head.headers);
}

void lr_http_site_free(lr_http_site *site)
{
    if (!site)
        return;
    for (unsigned i = 0; i < LR__HTTP_WORKERS_MAX; i++) {
        lr__http_worker *w = atomic_load_explicit(&site->workers[i], memory_order_acquire);

        if (!w)
            continue;
        while (w->spares) {
            lr_http_exchange *x = w->spares;

            w->spares = x->next_spare;
            free(x);
        }
        free(w->fields);
        free(w);
    }
    free(site);
}

void lr_http_site_serve(lr_http_site *site, lr_server_options *options)
{
    options->handlers = lr_http_handlers();
    options->user = site;
    options->conn_user_size = lr_http_conn_size();
}

void *lr_http_site_user(const lr_http_site *site)
{
    return site->options.user;
}

static uint64_t read_count(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

lr_http_counts lr_http_site_counts(const lr_http_site *site)
{
    lr_http_counts sum = {0};

    for (unsigned i = 0; i < LR__HTTP_WORKERS_MAX; i++) {
        const lr__http_worker *w = atomic_load_explicit(&site->workers[i], memory_order_acquire);

        if (!w)
            continue;
        sum.requests += read_count(&w->requests);
        sum.answers += read_count(&w->answers);
        sum.cut += read_count(&w->cut);
        for (unsigned j = 0; j < LR_HTTP_REFUSALS; j++)
            sum.refused[j] += read_count(&w->refused[j]);
    }
    return sum;
}

void lr__http_count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, read_count(counter) + 1, memory_order_relaxed);
}

void lr__http_count_refusal(lr__http_worker *w, uint16_t status)
{
    for (unsigned i = 0; i < LR_HTTP_REFUSALS; i++) {
        if (refusals[i] == status)
            lr__http_count(&w->refused[i]);
    }
}

lr__http_worker *lr__http_worker_of(lr_http_site *site, lr_worker *w)
{
    _Atomic(lr__http_worker *) *place = &site->workers[lr_worker_index(w)];
    lr__http_worker *mine = atomic_load_explicit(place, memory_order_relaxed);

    if (mine)
        return mine;
    mine = calloc(1, sizeof(*mine));
    if (!mine)
        return NULL;
    mine->date_s = INT64_MIN;
    mine->fields = calloc(site->options.limits.header_count_max, sizeof(*mine->fields));
    if (!mine->fields) {
        free(mine);
        return NULL;
    }
    atomic_store_explicit(place, mine, memory_order_release);
    return mine;
}

lr_http_exchange *lr__http_exchange_take(lr_http_site *site, lr_conn *c)
{
    lr_worker *w = lr_conn_worker(c);
    lr__http_worker *mine = lr__http_worker_of(site, w);
    lr_http_exchange *x;

    if (!mine)
        return NULL;
    x = mine->spares;
    if (x) {
        mine->spares = x->next_spare;
        mine->spare_count--;
    } else {
        x = malloc(sizeof(*x));
        if (!x)
            return NULL;
    }
    memset(x, 0, offsetof(lr_http_exchange, fields)); /* what follows is scratch */
    x->conn = c;
    x->site = site;
    x->worker = mine;
    x->begun_ns = lr_worker_now_ns(w);
    x->text = x->text_room;
    x->text_cap = sizeof(x->text_room);
    x->head.headers = x->fields;
    return x;
}

void lr__http_exchange_give(lr_http_exchange *x)
{
    lr__http_worker *w = x->worker;

    drop_blocks(x);
    if (w->spare_count >= LR__HTTP_SPARES_MAX) {
        free(x);
        return;
    }
    x->next_spare = w->spares;
    w->spares = x;
    w->spare_count++;
}

bool lr__http_text_reserve(lr_http_exchange *x, size_t len)
{
    uint8_t *block;
    size_t cap = x->text_cap;

    if (len <= cap)
        return true;
    while (cap < len)
        cap *= 2;
    block = malloc(cap);
    if (!block)
        return false;
    memcpy(block, x->text, x->text_len);
    if (x->text != x->text_room)
        free(x->text);
    x->text = block;
    x->text_cap = (uint32_t)cap;
    return true;
}

const char *lr__http_date(lr__http_worker *site_worker, lr_worker *w)
{
    int64_t now_s = lr_worker_wall_ms(w) / 1000;

    if (now_s != site_worker->date_s) {
        site_worker->date_s = now_s;
        if (!lr_http_date_format(now_s, site_worker->date))
            site_worker->date[0] = '\0';
    }
    return site_worker->date;
}
