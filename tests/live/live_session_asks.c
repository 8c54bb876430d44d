/* SPDX-License-Identifier: MIT */
/* live_session_asks.c: on_resume and on_new_session answered in every way, with everything that a
 * handler may do inside them, in both versions. The rows are generated, and what must happen is
 * computed from a row by the rules of lockring/hello.h and docs/lifecycle.md. What clients do
 * meanwhile is in live_session_waits.c. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>

typedef enum ask_when {
    INSIDE,      /* in the hook */
    LATER,       /* on the worker, in a later turn */
    THREAD,      /* by another thread */
    REFUSING,    /* in the hook, with a failure */
    TWICE,       /* in the hook, then with a failure */
    AFTER_CLOSE, /* by another thread, when the client has gone */
    STALE,       /* first by the token of an earlier connection */
    WHENS,
    NEVER /* the handshake timeout ends it */
} ask_when;

typedef enum ask_act { NOTHING, WRITE, END, ABORT, ACTS } ask_act;

typedef struct ask_row {
    store_hook hook;
    bool is_1_3;
    uint32_t which; /* of the two new sessions of TLS 1.3; the other one is answered in its hook */
    ask_when when;
    ask_act act;
    bool act_first; /* before what is answered in the hook */
} ask_row;

typedef struct run {
    const ask_row *row;
    lr_bytes *value;   /* of the session that is offered */
    uint32_t calls;    /* of on_new_session on this connection */
    bool is_earlier;   /* the connection that STALE takes its token from */
    lr_ask ask, stale; /* read by the test behind "asked" */
    lr_status later;   /* read by the test behind a visit to the worker */
} run;

static const char *const names[] = {"resume", "new_session"};

static lr_status answer(const run *r, lr_ask ask, lr_status result)
{
    return store_answer(r->row->hook, ask, result, result == LR_OK ? r->value : NULL);
}

static void note_answer(store *s, const char *what, lr_ask ask, lr_status result)
{
    live_note(&s->recorder.events, "%s=%s", what, lr_status_name(answer(s->arg, ask, result)));
}

static void answer_on_worker(lr_worker *w, void *arg)
{
    run *r = arg;

    (void)w;
    r->later = answer(r, r->ask, LR_OK);
}

static void do_act(store *s, lr_conn *c, ask_act what)
{
    if (what == WRITE)
        live_note(&s->recorder.events, "write=%s", lr_status_name(lr_conn_write(c, LR_LIT("x"))));
    else if (what == END)
        lr_conn_end(c);
    else if (what == ABORT)
        lr_conn_abort(c, LR_OK);
}

static void answer_inside(store *s, lr_conn *c)
{
    run *r = s->arg;

    switch (r->row->when) {
    case STALE:
        note_answer(s, "stale", r->stale, LR_ENAME);
        note_answer(s, "answer", r->ask, LR_OK);
        break;
    case INSIDE:
        note_answer(s, "answer", r->ask, LR_OK);
        break;
    case REFUSING:
        note_answer(s, "answer", r->ask, LR_EALPN);
        break;
    case TWICE:
        note_answer(s, "answer", r->ask, LR_OK);
        note_answer(s, "again", r->ask, LR_ENAME);
        break;
    case LATER:
        if (lr_worker_post(lr_conn_worker(c), answer_on_worker, r) != LR_OK)
            abort();
        break;
    case THREAD:
    case AFTER_CLOSE:
    case NEVER:
    case WHENS:
        break;
    }
}

static void on_asked(store *s, lr_conn *c, const store_ask *ask)
{
    static volatile uint8_t seen;
    run *r = s->arg;
    bool is_it = ask->hook == r->row->hook;

    if (ask->hook == STORE_NEW && r->calls++ != r->row->which)
        is_it = false;
    if (!is_it) {
        if (store_answer(ask->hook, ask->ask, LR_OK, NULL) != LR_OK)
            abort();
        return;
    }
    r->ask = ask->ask;
    if (!r->is_earlier) {
        if (r->row->act_first)
            do_act(s, c, r->row->act);
        answer_inside(s, c);
        if (!r->row->act_first)
            do_act(s, c, r->row->act);
    }
    for (size_t i = 0; i < ask->id.len; i++) /* both are borrowed until the hook returns */
        seen ^= ask->id.bytes[i];
    for (size_t i = 0; i < ask->value.len; i++)
        seen ^= ask->value.bytes[i];
    (void)seen;
    live_note(&s->recorder.events, "asked");
}

static bool is_end(const ask_row *row)
{
    return row->act == END || row->act == ABORT;
}

static bool is_answered_inside(const ask_row *row)
{
    return row->when == INSIDE || row->when == REFUSING || row->when == TWICE || row->when == STALE;
}

static size_t add(char *out, size_t at, const char *format, const char *word)
{
    return at + (size_t)snprintf(out + at, 400 - at, format, word);
}

/* What the act makes happen inside the hook. */
static size_t expect_act(const ask_row *row, bool answered, char *out, size_t at)
{
    if (row->act == WRITE)
        return add(out, at, "write=LR_ESTATE %s", "");
    if (is_end(row) && !answered)
        return add(out, at, "cancelled:%s ", names[row->hook]);
    return at;
}

static size_t expect_answer(const ask_row *row, bool gone, char *out, size_t at)
{
    if (row->when == STALE)
        at = add(out, at, "stale=LR_EGONE %s", "");
    if (is_answered_inside(row))
        at = add(out, at, "answer=%s ", gone ? "LR_EGONE" : "LR_OK");
    return row->when == TWICE ? add(out, at, "again=LR_EGONE %s", "") : at;
}

/* What comes behind the hook. */
static void expect_end(const ask_row *row, char *out, size_t at)
{
    const char *failed = row->when == NEVER ? "LR_EHANDSHAKE_TIMEOUT" : "LR_ERESET";

    if (is_end(row)) {
        (void)add(out, at, "close:LR_EABORTED %s", "");
        return;
    }
    if (row->hook == STORE_NEW && row->is_1_3 && row->which == 0)
        at = add(out, at, "new_session %s", "");
    if (row->when == REFUSING) {
        (void)add(out, at, "client_error:LR_EALPN:120 close:LR_EALPN %s", "");
    } else if (row->when == NEVER || row->when == AFTER_CLOSE) {
        at = add(out, at, "client_error:%s:-1 ", failed);
        at = add(out, at, "cancelled:%s ", names[row->hook]);
        (void)add(out, at, "close:%s ", failed);
    } else {
        if (row->hook == STORE_RESUME && row->is_1_3)
            at = add(out, at, "new_session %s", "");
        (void)add(out, at, "secure data:4 end close:clean %s", "");
    }
}

/* The hooks of the whole connection. */
static void expect(const ask_row *row, char out[400])
{
    size_t at = add(out, 0, "open %s ", names[row->hook]);

    if (row->which == 1)
        at = add(out, at, "new_session %s", "");
    if (row->act_first) {
        at = expect_act(row, false, out, at);
        at = expect_answer(row, is_end(row), out, at);
    } else {
        at = expect_answer(row, false, out, at);
        at = expect_act(row, is_answered_inside(row), out, at);
    }
    expect_end(row, out, add(out, at, "asked %s", ""));
}

/* Connects and goes on with the handshake until the hook has been called. False: it failed. */
static bool come(tls_client *t, const live *l, store *s, const tls_plan *plan)
{
    SSL_CTX *ctx = tls_ctx_new(plan);
    int state = 0;

    assert_non_null(ctx);
    TLS_MUST(t, tls_connect(t, ctx, NULL, l->port, "localhost"));
    SSL_CTX_free(ctx);
    while (state == 0 && !live_has(&s->recorder.events, "asked"))
        state = tls_handshake_step(t, 1);
    assert_true(live_await(&s->recorder.events, "asked"));
    return state >= 0;
}

/* The connection that the stale token is from. */
static void earlier(const live *l, store *s, run *r, const tls_plan *plan)
{
    uint64_t closed = s->recorder.events.closed;
    tls_client t;

    assert_true(come(&t, l, s, plan));
    r->stale = r->ask;
    tls_close(&t, true);
    assert_true(live_await_counts(&s->recorder.events, 0, 0, closed + 1));
    r->is_earlier = false;
    r->calls = 0;
    store_forget_asks(s);
    live_events_clear(&s->recorder.events);
}

static void be_served(tls_client *t, bool resumed)
{
    char got[4];

    TLS_MUST(t, tls_handshake(t));
    TLS_MUST(t, tls_write(t, "ping", 4));
    TLS_MUST(t, tls_read(t, got, 4));
    assert_memory_equal(got, "ping", 4);
    assert_int_equal(SSL_session_reused(t->ssl), resumed);
    TLS_MUST(t, tls_end_write(t));
    assert_int_equal(tls_read_end(t), TLS_END_NOTIFY);
}

/* The client's side, and what the row says of other threads. */
static void live_through(const live *l, store *s, run *r, const tls_plan *plan)
{
    const ask_row *row = r->row;
    tls_client t;
    bool came = come(&t, l, s, plan);
    char byte;

    if (row->when == THREAD)
        assert_int_equal(answer(r, r->ask, LR_OK), is_end(row) ? LR_EGONE : LR_OK);
    if (row->when == AFTER_CLOSE) {
        tls_close(&t, true);
    } else if (is_end(row) || row->when == REFUSING || row->when == NEVER) {
        assert_false(came && tls_handshake(&t) && tls_read(&t, &byte, 1));
        if (is_end(row))
            assert_true(t.reset);
        else if (row->when == REFUSING)
            assert_int_equal(tls_alert_of(&t), 120);
    } else {
        be_served(&t, row->hook == STORE_RESUME);
    }
    tls_close(&t, false);
}

static void visit_turn(lr_worker *w, void *arg)
{
    (void)w;
    (void)arg;
}

static void run_row(const live *l, store *s, const tls_plan *plan, lr_bytes *value,
                    const ask_row *row)
{
    uint64_t closed = s->recorder.events.closed;
    run r = {.row = row, .value = value, .is_earlier = row->when == STALE};
    char text[400];

    s->arg = &r;
    if (row->when == STALE)
        earlier(l, s, &r, plan);
    live_through(l, s, &r, plan);
    assert_true(live_await_counts(&s->recorder.events, 0, 0, closed + 1 + (row->when == STALE)));
    live_on_worker(l->workers, 0, visit_turn, NULL); /* what was posted before has run */
    expect(row, text);
    live_expect(&s->recorder.events, text);
    if (row->when == LATER)
        assert_int_equal(r.later, is_end(row) ? LR_EGONE : LR_OK);
    if (row->when == AFTER_CLOSE || row->when == NEVER)
        assert_int_equal(answer(&r, r.ask, LR_OK), LR_EGONE);
    if (row->when == STALE && (row->hook == STORE_RESUME || !row->is_1_3))
        assert_int_equal(r.ask.id >> 32, r.stale.id >> 32); /* the same slot, or it says nothing */
    live_events_clear(&s->recorder.events);
    store_forget_asks(s);
}

static void start(live *l, store *s, void **state, uint32_t timeout_ms)
{
    static lr_handlers handlers;
    live_plan plan = {.ring = live_ring(state),
                      .user = s,
                      .handlers = &handlers,
                      .worker_count = 1,
                      .handshake_timeout_ms = timeout_ms};

    handlers = store_handlers(STORE_BOTH);
    store_init(s);
    live_start(l, &plan);
}

static void stop(live *l, store *s)
{
    live_stop(l, LR_NONE);
    store_fini(s);
}

/* All ways to answer one hook of one version; row says which. */
static void play(void **state, ask_row row, const ask_when *whens, size_t count, uint32_t timeout)
{
    tls_keeper k = {0};
    tls_plan plan = {.version = row.is_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION, .keep = &k};
    lr_bytes *value;
    live l;
    store s;

    start(&l, &s, state, timeout);
    store_visit(&l, &s, &plan, false, NULL);
    value = store_get(&s, store_ticket_of(k.sessions[0]));
    assert_non_null(value);
    store_forget_asks(&s);
    if (row.hook == STORE_RESUME)
        k.offer = k.sessions[0];
    s.fn = on_asked;
    for (size_t i = 0; i < count; i++) {
        row.when = whens[i];
        for (int act = 0; act < (row.when == NEVER ? 1 : ACTS); act++) {
            row.act = (ask_act)act;
            if (row.when == AFTER_CLOSE && is_end(&row))
                continue; /* there is nothing left to close */
            row.act_first = false;
            run_row(&l, &s, &plan, value, &row);
            if (!is_answered_inside(&row))
                continue; /* the order is the same */
            row.act_first = true;
            run_row(&l, &s, &plan, value, &row);
        }
    }
    lr_bytes_release(value);
    k.offer = NULL;
    tls_keeper_clear(&k);
    stop(&l, &s);
}

static const ask_when all[] = {INSIDE, LATER, THREAD, REFUSING, TWICE, AFTER_CLOSE, STALE};
static const ask_when never[] = {NEVER};

static void live_S32_on_resume_is_answered_in_every_way(void **state)
{
    play(state, (ask_row){.hook = STORE_RESUME}, all, LIVE_COUNT_OF(all), 0);
    play(state, (ask_row){.hook = STORE_RESUME, .is_1_3 = true}, all, LIVE_COUNT_OF(all), 0);
}

static void live_S23_on_new_session_is_answered_in_every_way(void **state)
{
    play(state, (ask_row){.hook = STORE_NEW}, all, LIVE_COUNT_OF(all), 0);
    for (uint32_t which = 0; which < 2; which++)
        play(state, (ask_row){.hook = STORE_NEW, .is_1_3 = true, .which = which}, all,
             LIVE_COUNT_OF(all), 0);
}

static void live_S23_an_ask_that_is_never_answered_ends_with_the_handshake_timeout(void **state)
{
    play(state, (ask_row){.hook = STORE_RESUME}, never, 1, 1000);
    play(state, (ask_row){.hook = STORE_RESUME, .is_1_3 = true}, never, 1, 1000);
    play(state, (ask_row){.hook = STORE_NEW}, never, 1, 1000);
    for (uint32_t which = 0; which < 2; which++)
        play(state, (ask_row){.hook = STORE_NEW, .is_1_3 = true, .which = which}, never, 1, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S32_on_resume_is_answered_in_every_way),
        LIVE_TEST(live_S23_on_new_session_is_answered_in_every_way),
        LIVE_TEST(live_S23_an_ask_that_is_never_answered_ends_with_the_handshake_timeout),
    };

    return LIVE_MAIN(tests);
}
