/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <stdlib.h>
#include <string.h>

static const char *const hook_names[] = {"resume", "new_session"};

/* Of the connection that was secure last; one comes at a time. */
static _Atomic uint32_t last_worker, last_resumed;

void store_init(store *s)
{
    memset(s, 0, sizeof(*s));
    live_recorder_init(&s->recorder);
    (void)pthread_mutex_init(&s->mutex, NULL);
}

void store_fini(store *s)
{
    store_empty(s);
    (void)pthread_mutex_destroy(&s->mutex);
    live_recorder_fini(&s->recorder);
}

static lr_bytes *copy_of(lr_slice value)
{
    lr_bytes *bytes = lr_bytes_new(value);

    if (!bytes)
        abort();
    return bytes;
}

void store_put(store *s, lr_slice id, lr_slice value)
{
    (void)pthread_mutex_lock(&s->mutex);
    if (s->row_count == STORE_ROWS || id.len != sizeof(s->rows[0].id))
        abort();
    memcpy(s->rows[s->row_count].id, id.bytes, id.len);
    s->rows[s->row_count++].value = copy_of(value);
    (void)pthread_mutex_unlock(&s->mutex);
}

lr_bytes *store_get(store *s, lr_slice id)
{
    lr_bytes *found = NULL;

    (void)pthread_mutex_lock(&s->mutex);
    for (uint32_t i = 0; !found && i < s->row_count; i++) {
        if (id.len != sizeof(s->rows[i].id) || memcmp(s->rows[i].id, id.bytes, id.len) != 0)
            continue;
        found = lr_bytes_retain(s->rows[i].value);
        if (s->once) {
            lr_bytes_release(s->rows[i].value);
            s->rows[i] = s->rows[--s->row_count];
        }
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return found;
}

uint32_t store_count(store *s)
{
    uint32_t count;

    (void)pthread_mutex_lock(&s->mutex);
    count = s->row_count;
    (void)pthread_mutex_unlock(&s->mutex);
    return count;
}

void store_empty(store *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    while (s->row_count > 0)
        lr_bytes_release(s->rows[--s->row_count].value);
    (void)pthread_mutex_unlock(&s->mutex);
}

lr_status store_answer(store_hook hook, lr_ask ask, lr_status result, lr_bytes *value)
{
    return hook == STORE_NEW ? lr_store_answer((lr_store_ask){ask}, result)
                             : lr_resume_answer((lr_resume_ask){ask}, result, value);
}

void store_serve(store *s, lr_conn *c, const store_ask *ask)
{
    lr_bytes *value = NULL;

    (void)c;
    if (ask->hook == STORE_NEW)
        store_put(s, ask->id, ask->value);
    else
        value = store_get(s, ask->id);
    if (store_answer(ask->hook, ask->ask, LR_OK, value) != LR_OK)
        abort();
    lr_bytes_release(value);
}

lr_ask store_asked(store *s, uint32_t index)
{
    lr_ask ask = {0, 0};

    (void)pthread_mutex_lock(&s->mutex);
    if (index < s->ask_count)
        ask = s->asks[index];
    (void)pthread_mutex_unlock(&s->mutex);
    return ask;
}

void store_forget_asks(store *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    s->ask_count = 0;
    (void)pthread_mutex_unlock(&s->mutex);
}

static void on_ask(lr_conn *c, const store_ask *ask)
{
    store *s = lr_server_user(lr_conn_server(c));
    void (*fn)(store *, lr_conn *, const store_ask *) = s->fn;

    (void)pthread_mutex_lock(&s->mutex);
    if (s->ask_count < STORE_ASKS) {
        s->kinds[s->ask_count] = ask->hook;
        s->asks[s->ask_count++] = ask->ask;
    }
    (void)pthread_mutex_unlock(&s->mutex);
    if (!s->recorder.quiet)
        live_note(&s->recorder.events, "%s", hook_names[ask->hook]);
    if (fn)
        fn(s, c, ask);
    else
        store_serve(s, c, ask);
}

static void on_resume(lr_conn *c, lr_slice id, lr_resume_ask ask)
{
    on_ask(c, &(store_ask){STORE_RESUME, ask.ask, id, {NULL, 0}});
}

static void on_new_session(lr_conn *c, lr_slice id, lr_slice value, lr_store_ask ask)
{
    on_ask(c, &(store_ask){STORE_NEW, ask.ask, id, value});
}

static void on_ask_cancelled(lr_conn *c, lr_ask ask)
{
    store *s = lr_server_user(lr_conn_server(c));
    const char *name = "?";

    (void)pthread_mutex_lock(&s->mutex);
    for (uint32_t i = 0; i < s->ask_count; i++) {
        if (s->asks[i].home == ask.home && s->asks[i].id == ask.id)
            name = hook_names[s->kinds[i]];
    }
    (void)pthread_mutex_unlock(&s->mutex);
    if (!s->recorder.quiet)
        live_note(&s->recorder.events, "cancelled:%s", name);
}

static void on_secure(lr_conn *c)
{
    last_worker = lr_worker_index(lr_conn_worker(c));
    last_resumed = lr_conn_is_resumed(c);
    live_recorder_handlers.on_secure(c);
}

lr_handlers store_handlers(unsigned hooks)
{
    lr_handlers handlers = live_recorder_handlers;

    handlers.on_secure = on_secure;
    handlers.on_resume = hooks & STORE_ON_RESUME ? on_resume : NULL;
    handlers.on_new_session = hooks & STORE_ON_NEW ? on_new_session : NULL;
    handlers.on_ask_cancelled = on_ask_cancelled;
    return handlers;
}

/* OpenSSL tells a ticket of TLS 1.2 that comes with a resumption to nobody. */
static void keep_renewed(tls_keeper *keeper, SSL *ssl)
{
    SSL_SESSION *now = SSL_get1_session(ssl);
    lr_slice ticket = store_ticket_of(now), before = store_ticket_of(keeper->offer);

    if (SSL_version(ssl) == TLS1_2_VERSION && keeper->count < LIVE_COUNT_OF(keeper->sessions) &&
        (ticket.len != before.len || memcmp(ticket.bytes, before.bytes, ticket.len) != 0))
        keeper->sessions[keeper->count++] = now;
    else
        SSL_SESSION_free(now);
}

void store_visit(const live *l, store *s, const tls_plan *plan, bool resumed, const char *events)
{
    uint64_t closed = s->recorder.events.closed;
    uint32_t before = plan->keep ? plan->keep->certificates : 0;
    tls_client t;
    char got[4];

    TLS_MUST(&t, tls_open(&t, l->port, plan));
    TLS_MUST(&t, tls_write(&t, "ping", 4));
    TLS_MUST(&t, tls_read(&t, got, 4));
    assert_memory_equal(got, "ping", 4);
    TLS_MUST(&t, tls_end_write(&t));
    assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
    assert_int_equal(SSL_session_reused(t.ssl), resumed);
    assert_int_equal(last_resumed, resumed);
    if (plan->keep)
        assert_int_equal(plan->keep->certificates - before, !resumed);
    if (plan->keep && resumed)
        keep_renewed(plan->keep, t.ssl);
    tls_close(&t, false);
    assert_true(live_await_counts(&s->recorder.events, 0, 0, closed + 1));
    if (events)
        live_expect(&s->recorder.events, events);
    live_events_clear(&s->recorder.events);
}

uint32_t store_visit_worker(const live *l, store *s, const tls_plan *plan, bool resumed)
{
    store_visit(l, s, plan, resumed, NULL);
    return last_worker;
}

lr_slice store_ticket_of(const SSL_SESSION *session)
{
    const unsigned char *ticket = NULL;
    unsigned id_len;
    size_t len;

    if (SSL_SESSION_has_ticket(session)) {
        SSL_SESSION_get0_ticket(session, &ticket, &len);
        return lr_slice_of(ticket, len);
    }
    ticket = SSL_SESSION_get_id(session, &id_len);
    return lr_slice_of(ticket, id_len);
}
