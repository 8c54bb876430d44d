/* SPDX-License-Identifier: MIT */
/* live_fragment.c: how long the records are that go out (S85, S86), measured at the client: the
 * headers of records as they come from the socket. Limits of the server, of the connection, of the
 * client (RFC 6066 4), and of lockring-serve; in both versions. */
#include "client.h"
#include "process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 7, RECORDS_MAX = 4096, LEN = 100000, WHOLE = 16384 };

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* The headers of the server's records since the last look. */
typedef struct wire {
    size_t overhead; /* of a sealed record, without its header */
    size_t count;
    uint32_t len[RECORDS_MAX]; /* as in the header */
    uint8_t type[RECORDS_MAX]; /* in 1.3 the inner one, where it is sealed */
} wire;

/* A client that looks at its wire, and the server that it is connected to. */
typedef struct probe {
    wire w;
    tls_client t;
    uint8_t *got;
} probe;

static void on_message(int is_write, int version, int type, const void *bytes, size_t len, SSL *ssl,
                       void *arg)
{
    const uint8_t *b = bytes;
    wire *w = arg;

    (void)version;
    (void)ssl;
    if (is_write)
        return;
    if (type == SSL3_RT_HEADER && len == 5 && w->count < RECORDS_MAX) {
        w->type[w->count] = b[0];
        w->len[w->count++] = (uint32_t)(b[3] << 8 | b[4]);
    } else if (type == SSL3_RT_INNER_CONTENT_TYPE && len == 1 && w->count > 0) {
        w->type[w->count - 1] = b[0];
    }
}

/* max_fragment: TLSEXT_max_fragment_length_..., 0: does not ask. */
static void probe_open(probe *p, uint16_t port, int version, uint8_t max_fragment)
{
    tls_plan to = {.version = version, .groups = "P-256"};
    SSL_CTX *ctx = tls_ctx_new(&to);

    memset(p, 0, sizeof(*p));
    assert_non_null(ctx);
    p->got = malloc(LEN);
    assert_non_null(p->got);
    assert_int_equal(
        SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"),
        1);
    if (max_fragment != 0)
        assert_int_equal(SSL_CTX_set_tlsext_max_fragment_length(ctx, max_fragment), 1);
    SSL_CTX_set_msg_callback(ctx, on_message);
    SSL_CTX_set_msg_callback_arg(ctx, &p->w);
    TLS_MUST(&p->t, tls_connect(&p->t, ctx, NULL, port, "localhost"));
    SSL_CTX_free(ctx);
    TLS_MUST(&p->t, tls_handshake(&p->t));
    /* 1.2: nonce 8 and tag 16; 1.3: type 1 and tag 16. */
    p->w.overhead = version == TLS1_2_VERSION ? 8 + 16 : 1 + 16;
}

static void probe_close(probe *p)
{
    TLS_MUST(&p->t, tls_end_write(&p->t));
    assert_int_equal(tls_read_end(&p->t), TLS_END_NOTIFY);
    tls_close(&p->t, false);
    free(p->got);
}

static void read_len(probe *p, size_t at, size_t len)
{
    assert_true(len <= LEN);
    TLS_MUST(&p->t, tls_read(&p->t, p->got, len));
    assert_true(pattern_fits(SEED, at, p->got, len));
}

/* The plaintext of each record of application data. */
static size_t data_lens(const wire *w, uint32_t lens[RECORDS_MAX])
{
    size_t count = 0;

    assert_true(w->count < RECORDS_MAX);
    for (size_t i = 0; i < w->count; i++) {
        if (w->type[i] != SSL3_RT_APPLICATION_DATA)
            continue;
        assert_true(w->len[i] > w->overhead);
        lens[count++] = w->len[i] - (uint32_t)w->overhead;
    }
    return count;
}

/* What came since the last look are len bytes: no record is longer than limit, and short ones only
 * stand where a piece of the queue ends, at most each 16384 bytes. */
static void expect_records(wire *w, size_t len, uint32_t limit)
{
    uint32_t lens[RECORDS_MAX] = {0};
    size_t count = data_lens(w, lens), sum = 0, shorter = 0;

    assert_true(count > 0);
    assert_int_equal(lens[0], limit);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(lens[i], 1, limit);
        shorter += lens[i] < limit;
        sum += lens[i];
    }
    assert_int_equal(sum, len);
    assert_in_range(shorter, 0, len / WHOLE + 1);
    w->count = 0;
}

/* What the client asks of the connection: to set a limit, if it is not LR_NONE, and then to write.
 * The pattern begins anew with each order. */
typedef struct order {
    uint32_t limit, len;
} order;

static void obey(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    static uint8_t pattern[LEN];
    order o;

    if (hook == LIVE_END)
        lr_conn_end(c);
    if (hook != LIVE_DATA)
        return;
    memcpy(&o, bytes.bytes, sizeof(o));
    if (o.limit != LR_NONE)
        live_note(&recorder->events, "set=%d", lr_conn_set_fragment_size_max(c, o.limit));
    live_note(&recorder->events, "max=%u", lr_conn_fragment_size_max(c));
    pattern_fill(SEED, 0, pattern, o.len);
    if (lr_conn_write(c, lr_slice_of(pattern, o.len)) != LR_OK)
        lr_conn_abort(c, LR_OK);
}

/* One order, and what it did to the wire: records of want. */
static void order_case(probe *p, live_recorder *recorder, uint32_t limit, const char *set,
                       uint32_t want)
{
    order o = {limit, LEN};
    char text[60];

    p->w.count = 0;
    live_events_clear(&recorder->events);
    TLS_MUST(&p->t, tls_write(&p->t, &o, sizeof(o)));
    read_len(p, 0, LEN);
    expect_records(&p->w, LEN, want);
    (void)snprintf(text, sizeof(text), "%smax=%u ", set, want);
    live_expect(&recorder->events, text);
}

/* fragment_size_max of the server; 0: not set. */
static void fragment_start_as(live *l, live_recorder *recorder, void **state, uint32_t limit,
                              void (*act)(lr_conn *c, live_hook hook, lr_slice bytes,
                                          live_recorder *recorder),
                              void *arg)
{
    live_plan plan = {
        .ring = live_ring(state), .user = recorder, .worker_count = 1, .fragment_size_max = limit};

    live_recorder_init(recorder);
    recorder->quiet = true; /* only what obey() notes */
    recorder->act = act;
    recorder->arg = arg;
    live_start(l, &plan);
}

static void fragment_start(live *l, live_recorder *recorder, void **state, uint32_t limit)
{
    fragment_start_as(l, recorder, state, limit, obey, NULL);
}

static void fragment_stop(live *l, live_recorder *recorder)
{
    live_stop(l, LR_NONE);
    live_recorder_fini(recorder);
}

static void without_a_limit_records_are_whole(void **state)
{
    live_recorder recorder;
    live l;

    fragment_start(&l, &recorder, state, 0);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        probe p;

        probe_open(&p, l.port, versions[i], 0);
        order_case(&p, &recorder, LR_NONE, "", WHOLE);
        probe_close(&p);
    }
    fragment_stop(&l, &recorder);
}

static void live_S85_a_limit_holds_from_the_next_record_on(void **state)
{
    static const uint32_t limits[] = {512, 513, 1000, 16383, 16384, 512};
    live_recorder recorder;
    live l;

    fragment_start(&l, &recorder, state, 0);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        probe p;

        probe_open(&p, l.port, versions[i], 0);
        for (size_t k = 0; k < LIVE_COUNT_OF(limits); k++)
            order_case(&p, &recorder, limits[k], "set=1 ", limits[k]);
        probe_close(&p);
    }
    fragment_stop(&l, &recorder);
}

static void live_S85_a_limit_out_of_range_is_refused_and_changes_nothing(void **state)
{
    static const uint32_t wrong[] = {0, 1, 511, 16385, 65536, LR_NONE - 1};
    live_recorder recorder;
    live l;

    fragment_start(&l, &recorder, state, 2000);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        probe p;

        probe_open(&p, l.port, versions[i], 0);
        for (size_t k = 0; k < LIVE_COUNT_OF(wrong); k++)
            order_case(&p, &recorder, wrong[k], "set=0 ", 2000);
        order_case(&p, &recorder, 700, "set=1 ", 700);
        for (size_t k = 0; k < LIVE_COUNT_OF(wrong); k++)
            order_case(&p, &recorder, wrong[k], "set=0 ", 700);
        probe_close(&p);
    }
    fragment_stop(&l, &recorder);
}

static void the_server_s_limit_is_where_connections_begin(void **state)
{
    static const uint32_t limits[] = {512, 1400, 16384};

    for (size_t k = 0; k < LIVE_COUNT_OF(limits); k++) {
        live_recorder recorder;
        live l;

        fragment_start(&l, &recorder, state, limits[k]);
        for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
            probe p;

            probe_open(&p, l.port, versions[i], 0);
            order_case(&p, &recorder, LR_NONE, "", limits[k]);
            order_case(&p, &recorder, 4096, "set=1 ", 4096); /* above it, too */
            probe_close(&p);
            probe_open(&p, l.port, versions[i], 0); /* the next is not touched by that */
            order_case(&p, &recorder, LR_NONE, "", limits[k]);
            probe_close(&p);
        }
        fragment_stop(&l, &recorder);
    }
}

/* In the middle of a stream. */

typedef struct stream {
    size_t at;
    bool longer; /* from 512 to 16384 and not the other way round */
} stream;

static int64_t pull_and_switch(lr_conn *c, void *out, size_t cap, void *arg)
{
    stream *s = arg;
    size_t len = LEN - s->at < cap ? LEN - s->at : cap;

    pattern_fill(SEED, s->at, out, len);
    s->at += len;
    if (s->at >= LEN / 2 && s->at - len < LEN / 2)
        (void)lr_conn_set_fragment_size_max(c, s->longer ? WHOLE : 512);
    return (int64_t)len;
}

static void stream_it(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    stream *s = recorder->arg;
    lr_source source = {.pull = pull_and_switch, .arg = s};

    (void)bytes;
    if (hook == LIVE_DATA) {
        (void)lr_conn_set_fragment_size_max(c, s->longer ? 512 : WHOLE);
        if (lr_conn_write_source(c, &source) != LR_OK)
            lr_conn_abort(c, LR_OK);
    } else if (hook == LIVE_END) {
        lr_conn_end(c);
    }
}

/* One switch is all that the records show: those of the first limit, then those of the second. */
static void expect_one_switch(const wire *w, uint32_t first, uint32_t second)
{
    uint32_t lens[RECORDS_MAX] = {0};
    size_t count = data_lens(w, lens), at = 0, sum = 0;

    for (; at < count && lens[at] == first; at++)
        sum += lens[at];
    assert_in_range(sum, LEN / 2, LEN / 2 + 2 * WHOLE);
    for (; at < count && lens[at] == second; at++)
        sum += lens[at];
    assert_in_range(at, count - 1, count); /* the last one may be short */
    if (at < count)
        sum += lens[at];
    assert_int_equal(sum, LEN);
}

/* The context's beats the server's, and the connection's own beats both. */
static void live_S85_the_contexts_limit_beats_the_servers(void **state)
{
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live_plan plan = {.ring = live_ring(state),
                          .worker_count = 1,
                          .fragment_size_max = 4096,
                          .context = {.fragment_size_max = 700}};
        live_recorder recorder;
        probe p;
        live l;

        live_recorder_init(&recorder);
        recorder.quiet = true;
        recorder.act = obey;
        plan.user = &recorder;
        live_start(&l, &plan);
        probe_open(&p, l.port, versions[i], 0);
        order_case(&p, &recorder, LR_NONE, "", 700);
        order_case(&p, &recorder, 900, "set=1 ", 900);
        probe_close(&p);
        fragment_stop(&l, &recorder);
    }
}

static void a_switch_inside_a_stream_holds_for_its_rest(void **state)
{
    for (size_t i = 0; i < 2 * LIVE_COUNT_OF(versions); i++) {
        live_recorder recorder;
        stream s = {.longer = i % 2 == 0};
        probe p;
        live l;

        fragment_start_as(&l, &recorder, state, 0, stream_it, &s);
        probe_open(&p, l.port, versions[i / 2], 0);
        p.w.count = 0;
        TLS_MUST(&p.t, tls_write(&p.t, "go", 2));
        read_len(&p, 0, LEN);
        expect_one_switch(&p.w, s.longer ? 512 : WHOLE, s.longer ? WHOLE : 512);
        probe_close(&p);
        fragment_stop(&l, &recorder);
    }
}

/* RFC 6066 4: what the client can take. */

static const struct wish {
    uint8_t code;
    uint32_t bytes;
} wishes[] = {{TLSEXT_max_fragment_length_512, 512},
              {TLSEXT_max_fragment_length_1024, 1024},
              {TLSEXT_max_fragment_length_2048, 2048},
              {TLSEXT_max_fragment_length_4096, 4096}};

/* The records of the handshake obey as well. What is in clear has no overhead. */
static void expect_none_above(const wire *w, uint32_t limit)
{
    for (size_t k = 0; k < w->count; k++)
        assert_in_range(w->len[k], 1, limit + w->overhead);
}

static void a_client_s_limit_holds_although_ours_is_larger(void **state)
{
    live_recorder recorder;
    live l;

    fragment_start(&l, &recorder, state, 0);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        for (size_t k = 0; k < LIVE_COUNT_OF(wishes); k++) {
            uint32_t bytes = wishes[k].bytes;
            probe p;

            probe_open(&p, l.port, versions[i], wishes[k].code);
            expect_none_above(&p.w, bytes);
            order_case(&p, &recorder, LR_NONE, "", bytes);
            order_case(&p, &recorder, WHOLE, "set=1 ", bytes);
            probe_close(&p);
        }
    }
    fragment_stop(&l, &recorder);
}

static void of_two_limits_the_smaller_holds(void **state)
{
    live_recorder recorder;
    live l;

    fragment_start(&l, &recorder, state, 1500);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        for (size_t k = 0; k < LIVE_COUNT_OF(wishes); k++) {
            uint32_t bytes = wishes[k].bytes;
            probe p;

            probe_open(&p, l.port, versions[i], wishes[k].code);
            order_case(&p, &recorder, LR_NONE, "", bytes < 1500 ? bytes : 1500);
            order_case(&p, &recorder, 512, "set=1 ", 512);
            order_case(&p, &recorder, 3000, "set=1 ", bytes < 3000 ? bytes : 3000);
            probe_close(&p);
        }
    }
    fragment_stop(&l, &recorder);
}

static void serve_case(void **state, const char *option, uint32_t want)
{
    serve_plan plan = {.arguments = {option ? "--fragment" : NULL, option}};
    uint8_t *sent = malloc(LEN);
    process server;
    uint16_t port;

    assert_non_null(sent);
    pattern_fill(SEED, 0, sent, LEN);
    port = serve_start_on(&server, live_ring(state), &plan);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        probe p;

        probe_open(&p, port, versions[i], 0);
        p.w.count = 0;
        TLS_MUST(&p.t, tls_write(&p.t, sent, WHOLE)); /* one record, so one piece to echo */
        read_len(&p, 0, WHOLE);
        expect_records(&p.w, WHOLE, want);
        probe_close(&p);
    }
    assert_int_equal(kill(server.pid, SIGTERM), 0);
    assert_int_equal(process_wait(&server), 0);
    free(sent);
}

/* The same bytes in records of 512 and of 16384 bytes: what they cost, and how much must have come
 * before the first of them can be opened. */
static void live_S86_smaller_records_cost_more_and_their_first_comes_sooner(void **state)
{
    static const uint32_t limits[2] = {512, WHOLE};

    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        uint64_t cost[2], first[2];

        for (size_t j = 0; j < 2; j++) {
            order o = {LR_NONE, LEN};
            live_recorder recorder;
            uint64_t before;
            probe p;
            live l;

            fragment_start(&l, &recorder, state, limits[j]);
            probe_open(&p, l.port, versions[i], 0);
            TLS_MUST(&p.t, tls_write(&p.t, &o, sizeof(o)));
            before = BIO_number_read(SSL_get_rbio(p.t.ssl));
            p.w.count = 0;
            read_len(&p, 0, 1);
            first[j] = BIO_number_read(SSL_get_rbio(p.t.ssl)) - before;
            read_len(&p, 1, LEN - 1);
            cost[j] = BIO_number_read(SSL_get_rbio(p.t.ssl)) - before;
            probe_close(&p);
            fragment_stop(&l, &recorder);
        }
        assert_true(cost[0] > cost[1] + (LEN / 512 - LEN / WHOLE - 1) * 5);
        assert_true(first[0] < WHOLE && first[1] > WHOLE);
    }
}

static void lockring_serve_has_its_limit_from_the_option(void **state)
{
    serve_case(state, "512", 512);
    serve_case(state, "1000", 1000);
    serve_case(state, "16384", 16384);
    serve_case(state, NULL, 16384);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(without_a_limit_records_are_whole),
        LIVE_TEST(live_S85_a_limit_holds_from_the_next_record_on),
        LIVE_TEST(live_S85_a_limit_out_of_range_is_refused_and_changes_nothing),
        LIVE_TEST(the_server_s_limit_is_where_connections_begin),
        LIVE_TEST(live_S85_the_contexts_limit_beats_the_servers),
        LIVE_TEST(a_switch_inside_a_stream_holds_for_its_rest),
        LIVE_TEST(a_client_s_limit_holds_although_ours_is_larger),
        LIVE_TEST(of_two_limits_the_smaller_holds),
        LIVE_TEST(live_S86_smaller_records_cost_more_and_their_first_comes_sooner),
        LIVE_TEST(lockring_serve_has_its_limit_from_the_option),
    };

    return LIVE_MAIN(tests);
}
