/* SPDX-License-Identifier: MIT */
/* live_asks.c: each hook of the gate that may be answered later, answered in every way, with
 * everything that a handler may do inside it. The rows are generated, and what must happen is
 * computed from a row by the rules of lockring/hello.h and docs/lifecycle.md. */
#include "gate.h"

#include <stdio.h>
#include <stdlib.h>

typedef enum ask_when {
    INSIDE,      /* in the hook */
    LATER,       /* on the worker, in a later turn */
    THREAD,      /* by another thread */
    REFUSING,    /* in the hook, with a failure */
    TWICE,       /* in the hook, then with a failure */
    AFTER_CLOSE, /* by another thread, when the client has gone */
    STALE,       /* first by the token of an earlier connection, which had the same slot */
    WHENS,
    NEVER /* the handshake timeout ends it */
} ask_when;

typedef enum ask_act { NOTHING, WRITE, END, ABORT, ACTS } ask_act;

typedef struct ask_row {
    gate_hook hook;
    ask_when when;
    ask_act act;
    bool act_first; /* before what is answered in the hook */
    lr_status why;  /* REFUSING */
    int alert;
} ask_row;

typedef struct run {
    const ask_row *row;
    bool is_earlier;   /* the connection that STALE takes its token from */
    lr_ask ask, stale; /* read by the test behind "asked" */
    lr_status later;   /* read by the test behind a visit to the worker */
} run;

static void note_answer(gate *g, const char *what, lr_ask ask, lr_status result)
{
    const run *r = g->arg;

    live_note(&g->recorder.events, "%s=%s", what,
              lr_status_name(gate_answer(r->row->hook, ask, result, NULL, NULL)));
}

static void answer_on_worker(lr_worker *w, void *arg)
{
    run *r = arg;

    (void)w;
    r->later = gate_answer(r->row->hook, r->ask, LR_OK, NULL, NULL);
}

static void do_act(gate *g, lr_conn *c, ask_act what)
{
    if (what == WRITE)
        live_note(&g->recorder.events, "write=%s", lr_status_name(lr_conn_write(c, LR_LIT("x"))));
    else if (what == END)
        lr_conn_end(c);
    else if (what == ABORT)
        lr_conn_abort(c, LR_OK);
}

static void answer_inside(gate *g, lr_conn *c)
{
    run *r = g->arg;

    switch (r->row->when) {
    case STALE:
        note_answer(g, "stale", r->stale, LR_ENAME);
        note_answer(g, "answer", r->ask, LR_OK);
        break;
    case INSIDE:
        note_answer(g, "answer", r->ask, LR_OK);
        break;
    case REFUSING:
        note_answer(g, "answer", r->ask, r->row->why);
        break;
    case TWICE:
        note_answer(g, "answer", r->ask, LR_OK);
        note_answer(g, "again", r->ask, LR_ENAME);
        break;
    case LATER:
        if (lr_worker_post(lr_conn_worker(c), answer_on_worker, r) != LR_OK)
            live_note(&g->recorder.events, "post_failed");
        break;
    case THREAD:
    case AFTER_CLOSE:
    case NEVER:
    case WHENS:
        break;
    }
}

static void on_asked(gate *g, lr_conn *c, const gate_ask *ask)
{
    run *r = g->arg;

    r->ask = ask->ask;
    if (!r->is_earlier) {
        if (r->row->act_first)
            do_act(g, c, r->row->act);
        answer_inside(g, c);
        if (!r->row->act_first)
            do_act(g, c, r->row->act);
    }
    live_note(&g->recorder.events, "asked");
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
        return add(out, at, "cancelled:%s ", gate_hook_name(row->hook));
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

/* The hooks of the whole connection. */
static void expect(const ask_row *row, char out[400])
{
    const char *failed = row->when == NEVER         ? "LR_EHANDSHAKE_TIMEOUT:-1 "
                         : row->when == AFTER_CLOSE ? "LR_ERESET:-1 "
                                                    : NULL;
    size_t at =
        add(out, 0, "open %s ", row->hook == GATE_SNI ? "sni:a.test" : gate_hook_name(row->hook));

    if (row->act_first) {
        at = expect_act(row, false, out, at);
        at = expect_answer(row, is_end(row), out, at);
    } else {
        at = expect_answer(row, false, out, at);
        at = expect_act(row, is_answered_inside(row), out, at);
    }
    at = add(out, at, "asked %s", "");
    if (is_end(row)) {
        (void)add(out, at, "close:LR_EABORTED %s", "");
    } else if (row->when == REFUSING) {
        at = add(out, at, "client_error:%s:", lr_status_name(row->why));
        at += (size_t)snprintf(out + at, 400 - at, "%d ", row->alert);
        (void)add(out, at, "close:%s ", lr_status_name(row->why));
    } else if (failed) {
        at = add(out, at, "client_error:%s", failed);
        at = add(out, at, "cancelled:%s ", gate_hook_name(row->hook));
        (void)add(out, at,
                  row->when == NEVER ? "close:LR_EHANDSHAKE_TIMEOUT %s" : "close:LR_ERESET %s", "");
    } else {
        (void)add(out, at, "secure data:4 end close:clean %s", "");
    }
}

/* The connection whose slot the next one gets. */
static void earlier(const live *l, gate *g, run *r, const tls_plan *plan)
{
    uint64_t closed = g->recorder.events.closed;
    gate_client c;

    gate_client_start(&c, plan, l->port, "a.test");
    assert_true(live_await(&g->recorder.events, "asked"));
    r->stale = r->ask;
    tls_close(&c.t, true);
    assert_true(live_await_counts(&g->recorder.events, 0, 0, closed + 1));
    r->is_earlier = false;
    live_events_clear(&g->recorder.events);
}

/* The client's side, and what the row says of other threads. */
static void live_through(const live *l, gate *g, run *r, const tls_plan *plan)
{
    const ask_row *row = r->row;
    bool ends = is_end(row);
    gate_client c;

    gate_client_start(&c, plan, l->port, "a.test");
    assert_true(live_await(&g->recorder.events, "asked"));
    if (row->when == THREAD)
        assert_int_equal(gate_answer(row->hook, r->ask, LR_OK, NULL, NULL),
                         ends ? LR_EGONE : LR_OK);
    if (ends) {
        assert_false(tls_handshake(&c.t));
        assert_true(c.t.reset);
    } else if (row->when == REFUSING) {
        gate_client_expect_alert(&c, row->alert);
    } else if (row->when == AFTER_CLOSE) {
        tls_close(&c.t, true);
    } else if (row->when == NEVER) {
        assert_false(tls_handshake(&c.t));
    } else {
        gate_client_finish(&c);
    }
    tls_close(&c.t, false);
}

static void visit(lr_worker *w, void *arg)
{
    (void)w;
    (void)arg;
}

static void run_row(const live *l, gate *g, const ask_row *row)
{
    static unsigned turn;
    tls_plan plan = {.version = turn++ % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION, .ocsp = true};
    uint64_t closed = g->recorder.events.closed;
    run r = {.row = row, .is_earlier = row->when == STALE};
    char text[400];

    gate_set_arg(g, &r);
    if (row->when == STALE)
        earlier(l, g, &r, &plan);
    live_through(l, g, &r, &plan);
    assert_true(live_await_counts(&g->recorder.events, 0, 0, closed + 1 + (row->when == STALE)));
    live_on_worker(l->workers, 0, visit, NULL); /* what was posted before has run */
    expect(row, text);
    live_expect(&g->recorder.events, text);
    if (row->when == LATER)
        assert_int_equal(r.later, is_end(row) ? LR_EGONE : LR_OK);
    if (row->when == AFTER_CLOSE || row->when == NEVER)
        assert_int_equal(gate_answer(row->hook, r.ask, LR_OK, NULL, NULL), LR_EGONE);
    if (row->when == STALE)
        assert_int_equal(r.ask.id >> 32, r.stale.id >> 32); /* or the row says nothing */
    live_events_clear(&g->recorder.events);
}

static void start(live *l, gate *g, void **state, unsigned hooks, uint32_t timeout_ms)
{
    static lr_handlers handlers;
    live_plan plan = {.ring = live_ring(state),
                      .user = g,
                      .handlers = &handlers,
                      .worker_count = 1,
                      .handshake_timeout_ms = timeout_ms};

    handlers = gate_handlers(hooks);
    gate_init(g);
    g->fn = on_asked;
    live_start(l, &plan);
}

static void stop(live *l, gate *g)
{
    live_stop(l, LR_NONE);
    gate_fini(g);
}

static void matrix(void **state, gate_hook hook)
{
    ask_row row = {.hook = hook, .why = LR_EALPN, .alert = 120};
    live l;
    gate g;

    start(&l, &g, state, 1u << hook, 0);
    for (int when = 0; when < WHENS; when++) {
        for (int act = 0; act < ACTS; act++) {
            row.when = (ask_when)when;
            row.act = (ask_act)act;
            if (row.when == AFTER_CLOSE && is_end(&row))
                continue; /* there is nothing left to close */
            row.act_first = false;
            run_row(&l, &g, &row);
            if (!is_answered_inside(&row))
                continue; /* the order is the same */
            row.act_first = true;
            run_row(&l, &g, &row);
        }
    }
    stop(&l, &g);
}

static void live_B1_on_hello_is_answered_in_every_way(void **state)
{
    matrix(state, GATE_HELLO);
}

static void live_S126_on_sni_is_answered_in_every_way(void **state)
{
    matrix(state, GATE_SNI);
}

static void live_S25_on_ocsp_request_is_answered_in_every_way(void **state)
{
    matrix(state, GATE_OCSP);
}

static void live_S25_an_ask_that_is_never_answered_ends_with_the_handshake_timeout(void **state)
{
    for (int hook = 0; hook < GATE_HOOKS; hook++) {
        ask_row row = {.hook = (gate_hook)hook, .when = NEVER};
        live l;
        gate g;

        start(&l, &g, state, 1u << hook, 1000);
        run_row(&l, &g, &row);
        stop(&l, &g);
    }
}

/* S20, S28: the reason that the program gives is told at server level, and has its alert. */
static void live_S28_an_error_ends_the_connection_with_its_alert(void **state)
{
    static const struct {
        lr_status why;
        int alert;
    } reasons[] = {{LR_ENAME, 112},   {LR_EALPN, 120},  {LR_ENOMEM, 80}, {LR_ESYSTEM, 80},
                   {LR_EINVAL, 80},   {LR_EOPTION, 80}, {LR_ETLS, 49},   {LR_ECERTIFICATE, 49},
                   {LR_EALERT, 49},   {LR_EAGAIN, 49},  {LR_EGONE, 49},  {LR_ECLOSED, 49},
                   {LR_EABORTED, 49}, {LR_ENOTTLS, 49}};

    for (int hook = 0; hook < GATE_HOOKS; hook++) {
        live l;
        gate g;

        start(&l, &g, state, 1u << hook, 0);
        for (size_t i = 0; i < LIVE_COUNT_OF(reasons); i++) {
            ask_row row = {.hook = (gate_hook)hook,
                           .when = REFUSING,
                           .why = reasons[i].why,
                           .alert = reasons[i].alert};

            run_row(&l, &g, &row);
        }
        stop(&l, &g);
    }
}

typedef struct order {
    ask_when chosen[GATE_HOOKS];
    gate_ask asked[GATE_HOOKS];
} order;

static void answer_posted(lr_worker *w, void *arg)
{
    const gate_ask *ask = arg;

    (void)w;
    if (gate_answer(ask->hook, ask->ask, LR_OK, NULL, NULL) != LR_OK)
        abort();
}

static void answer_as_chosen(gate *g, lr_conn *c, const gate_ask *ask)
{
    order *o = g->arg;

    o->asked[ask->hook] = *ask;
    if (o->chosen[ask->hook] == INSIDE)
        answer_posted(NULL, &o->asked[ask->hook]);
    else if (o->chosen[ask->hook] == LATER &&
             lr_worker_post(lr_conn_worker(c), answer_posted, &o->asked[ask->hook]) != LR_OK)
        abort();
}

/* Each of the three inside, later and by another thread: the order of events is always the same. */
static void live_B1_the_order_of_hooks_does_not_depend_on_who_answers(void **state)
{
    static const ask_when whens[] = {INSIDE, LATER, THREAD};
    static const char *const words[] = {"hello", "sni:a.test", "ocsp"};
    live l;
    gate g;

    start(&l, &g, state, GATE_ALL, 0);
    g.fn = answer_as_chosen;
    for (unsigned way = 0; way < 27; way++) {
        tls_plan plan = {.ocsp = true};
        order o = {.chosen = {whens[way % 3], whens[way / 3 % 3], whens[way / 9]}};
        gate_client c;

        gate_set_arg(&g, &o);
        gate_client_start(&c, &plan, l.port, "a.test");
        for (int hook = 0; hook < GATE_HOOKS; hook++) {
            if (o.chosen[hook] != THREAD)
                continue;
            assert_true(live_await(&g.recorder.events, words[hook]));
            assert_int_equal(
                gate_answer((gate_hook)hook, gate_last(&g, (gate_hook)hook), LR_OK, NULL, NULL),
                LR_OK);
        }
        gate_client_finish(&c);
        tls_close(&c.t, false);
        assert_true(live_await_counts(&g.recorder.events, 0, 0, way + 1));
        live_expect(&g.recorder.events,
                    "open hello sni:a.test ocsp secure data:4 end close:clean ");
        live_events_clear(&g.recorder.events);
    }
    stop(&l, &g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_B1_on_hello_is_answered_in_every_way),
        LIVE_TEST(live_S126_on_sni_is_answered_in_every_way),
        LIVE_TEST(live_S25_on_ocsp_request_is_answered_in_every_way),
        LIVE_TEST(live_S25_an_ask_that_is_never_answered_ends_with_the_handshake_timeout),
        LIVE_TEST(live_S28_an_error_ends_the_connection_with_its_alert),
        LIVE_TEST(live_B1_the_order_of_hooks_does_not_depend_on_who_answers),
    };

    return LIVE_MAIN(tests);
}
