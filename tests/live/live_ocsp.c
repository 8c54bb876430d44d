/* SPDX-License-Identifier: MIT */
/* live_ocsp.c: OCSP staples: who is asked for them and when, and that what the program gives
 * reaches the client byte for byte. */
#include "gate.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STAPLE_1_2 = 16000 }; /* OpenSSL takes no more than 16384 bytes of message in 1.2 */

/* Of tests/unit/fixtures.c, whose header is not for live tests. */
extern const char fixture_root[], fixture_intermediate[], fixture_leaf[], fixture_ecdsa[];
extern const char fixture_rsa[], fixture_ecdsa_key[], fixture_rsa_key[];

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* What the hooks answer with, and what on_ocsp_request was given; null: nothing. */
typedef struct stapling {
    lr_bytes *by_hello, *by_ocsp;
    lr_context *context;
    uint8_t certificate[4096], issuer[4096];
    size_t certificate_len, issuer_len;
} stapling;

static void keep(lr_slice from, uint8_t to[4096], size_t *len)
{
    if (from.len > 4096)
        abort();
    if (from.len != 0)
        memcpy(to, from.bytes, from.len);
    *len = from.len;
}

static void staple(gate *g, lr_conn *c, const gate_ask *ask)
{
    stapling *s = g->arg;

    (void)c;
    if (ask->hook == GATE_OCSP) {
        keep(ask->certificate, s->certificate, &s->certificate_len);
        keep(ask->issuer, s->issuer, &s->issuer_len);
    }
    (void)gate_answer(ask->hook, ask->ask, LR_OK, s->context,
                      ask->hook == GATE_HELLO ? s->by_hello : s->by_ocsp);
}

static void start_with(live *l, gate *g, void **state, unsigned hooks, lr_context_options context)
{
    static lr_handlers handlers;
    live_plan plan = {.ring = live_ring(state),
                      .user = g,
                      .handlers = &handlers,
                      .worker_count = 1,
                      .context = context};

    handlers = gate_handlers(hooks);
    gate_init(g);
    g->fn = staple;
    live_start(l, &plan);
}

static void start(live *l, gate *g, void **state, unsigned hooks)
{
    start_with(l, g, state, hooks, (lr_context_options){0});
}

static void stop(live *l, gate *g)
{
    live_stop(l, LR_NONE);
    gate_fini(g);
}

static lr_bytes *random_bytes(uint64_t seed, size_t len)
{
    static uint8_t block[LR_STAPLE_MAX];
    lr_bytes *bytes;

    pattern_fill(seed, 0, block, len);
    bytes = lr_bytes_new(lr_slice_of(block, len));
    assert_non_null(bytes);
    return bytes;
}

static void expect_staple(const gate_client *c, lr_slice expected)
{
    const unsigned char *got = NULL;
    long len = SSL_get_tlsext_status_ocsp_resp(c->t.ssl, &got);

    if (expected.len == 0) {
        assert_int_equal(len, -1);
        return;
    }
    assert_int_equal(len, expected.len);
    assert_memory_equal(got, expected.bytes, expected.len);
}

/* One handshake; its hooks must be these. */
static void visit(const live *l, gate *g, stapling *s, const tls_plan *plan, lr_slice expected,
                  const char *events)
{
    uint64_t closed = g->recorder.events.closed;
    gate_client c;

    gate_set_arg(g, s);
    gate_client_start(&c, plan, l->port, "localhost");
    gate_client_finish(&c);
    expect_staple(&c, expected);
    tls_close(&c.t, false);
    assert_true(live_await_counts(&g->recorder.events, 0, 0, closed + 1));
    live_expect(&g->recorder.events, events);
    live_events_clear(&g->recorder.events);
}

static void live_S26_a_staple_arrives_byte_for_byte(void **state)
{
    static const size_t sizes[] = {1,    2,    255,        256,   471,
                                   1500, 4096, STAPLE_1_2, 30000, LR_STAPLE_MAX};
    static const char *const groups[] = {NULL,
                                         "P-521:X25519:P-256"}; /* a HelloRetryRequest in 1.3 */
    live l;
    gate g;

    start(&l, &g, state, GATE_ON_OCSP);
    for (size_t i = 0; i < LIVE_COUNT_OF(sizes) * 4; i++) {
        tls_plan plan = {.version = versions[i % 2], .ocsp = true, .groups = groups[i / 2 % 2]};
        stapling s = {.by_ocsp = random_bytes(i, sizes[i / 4])};

        if (sizes[i / 4] > STAPLE_1_2)
            plan.version = TLS1_3_VERSION;
        visit(&l, &g, &s, &plan, lr_bytes_slice(s.by_ocsp),
              "open ocsp secure data:4 end close:clean ");
        lr_bytes_release(s.by_ocsp);
    }
    stop(&l, &g);
}

static void live_S27_without_a_response_the_handshake_goes_on_without_staple(void **state)
{
    live l;
    gate g;

    start(&l, &g, state, GATE_ON_OCSP);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_plan plan = {.version = versions[i], .ocsp = true};
        stapling none = {0}, empty = {.by_ocsp = random_bytes(0, 0)};

        visit(&l, &g, &none, &plan, lr_slice_of(NULL, 0),
              "open ocsp secure data:4 end close:clean ");
        visit(&l, &g, &empty, &plan, lr_slice_of(NULL, 0),
              "open ocsp secure data:4 end close:clean ");
        lr_bytes_release(empty.by_ocsp);
    }
    stop(&l, &g);
}

/* Nor is it an error that nobody is there to answer. */
static void live_S27_without_the_hook_nothing_is_stapled(void **state)
{
    live l;
    gate g;

    start(&l, &g, state, 0);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_plan plan = {.version = versions[i], .ocsp = true};
        stapling s = {0};

        visit(&l, &g, &s, &plan, lr_slice_of(NULL, 0), "open secure data:4 end close:clean ");
    }
    stop(&l, &g);
}

static void live_S31_who_did_not_ask_is_not_asked_for(void **state)
{
    live l;
    gate g;

    start(&l, &g, state, GATE_ALL);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_plan plan = {.version = versions[i]};
        stapling s = {.by_hello = random_bytes(1, 100), .by_ocsp = random_bytes(2, 100)};
        stapling later = {.by_ocsp = s.by_ocsp};

        visit(&l, &g, &s, &plan, lr_slice_of(NULL, 0),
              "open hello sni:localhost secure data:4 end close:clean ");
        visit(&l, &g, &later, &plan, lr_slice_of(NULL, 0),
              "open hello sni:localhost secure data:4 end close:clean ");
        lr_bytes_release(s.by_hello);
        lr_bytes_release(s.by_ocsp);
    }
    stop(&l, &g);
}

/* Also where there are two hellos. */
static void live_S31_each_handshake_asks_once(void **state)
{
    tls_plan plan = {.version = TLS1_3_VERSION, .ocsp = true, .groups = "P-521:X25519:P-256"};
    live l;
    gate g;

    start(&l, &g, state, GATE_ALL);
    for (int i = 0; i < 3; i++) {
        stapling s = {.by_ocsp = random_bytes(7, 300)};

        visit(&l, &g, &s, &plan, lr_bytes_slice(s.by_ocsp),
              "open hello sni:localhost ocsp secure data:4 end close:clean ");
        lr_bytes_release(s.by_ocsp);
    }
    stop(&l, &g);
}

static void live_S25_the_staple_of_on_hello_makes_the_question_needless(void **state)
{
    live l;
    gate g;

    start(&l, &g, state, GATE_ALL);
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        tls_plan plan = {.version = versions[i], .ocsp = true};
        stapling s = {.by_hello = random_bytes(3, 100), .by_ocsp = random_bytes(4, 100)};

        visit(&l, &g, &s, &plan, lr_bytes_slice(s.by_hello),
              "open hello sni:localhost secure data:4 end close:clean ");
        lr_bytes_release(s.by_hello);
        lr_bytes_release(s.by_ocsp);
    }
    stop(&l, &g);
}

/* The DER of a PEM certificate. */
static void expect_certificate(const uint8_t *got, size_t got_len, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    unsigned char *der = NULL;
    int len = i2d_X509(x509, &der);

    assert_int_equal(len, got_len);
    assert_memory_equal(got, der, got_len);
    OPENSSL_free(der);
    X509_free(x509);
    BIO_free(bio);
}

static lr_slice text(const char *pem)
{
    return lr_slice_of(pem, strlen(pem));
}

/* Asks of a server with that chain of PEM texts; what was asked is in s. */
static void ask_of_chain(void **state, const char *const *chain, const char *key, stapling *s,
                         const tls_plan *plan)
{
    char pem[16384] = "";
    size_t len = 0;
    live l;
    gate g;

    for (; *chain; chain++) {
        memcpy(pem + len, *chain, strlen(*chain) + 1);
        len += strlen(*chain);
    }
    start_with(&l, &g, state, GATE_ON_OCSP,
               (lr_context_options){.cert = text(pem), .key = text(key)});
    visit(&l, &g, s, plan, lr_slice_of(NULL, 0), "open ocsp secure data:4 end close:clean ");
    stop(&l, &g);
}

static void live_S29_the_issuer_is_that_of_the_chain_or_empty(void **state)
{
    static const char *const alone[] = {fixture_leaf, NULL};
    static const char *const with_issuer[] = {fixture_leaf, fixture_intermediate, NULL};
    static const char *const with_root[] = {fixture_leaf, fixture_intermediate, fixture_root, NULL};
    tls_plan plan = {.ocsp = true};
    stapling s = {0};

    ask_of_chain(state, alone, fixture_ecdsa_key, &s, &plan);
    expect_certificate(s.certificate, s.certificate_len, fixture_leaf);
    assert_int_equal(s.issuer_len, 0);
    ask_of_chain(state, with_issuer, fixture_ecdsa_key, &s, &plan);
    expect_certificate(s.certificate, s.certificate_len, fixture_leaf);
    expect_certificate(s.issuer, s.issuer_len, fixture_intermediate);
    ask_of_chain(state, with_root, fixture_ecdsa_key, &s, &plan);
    expect_certificate(s.certificate, s.certificate_len, fixture_leaf);
    expect_certificate(s.issuer, s.issuer_len, fixture_intermediate);
}

/* Of what ca holds the one that signed the leaf. */
static void live_S29_ca_supplies_the_issuer(void **state)
{
    char both[8192];
    lr_context_options context = {.cert = text(fixture_leaf), .key = text(fixture_ecdsa_key)};
    tls_plan plan = {.ocsp = true};
    stapling s = {0};
    live l;
    gate g;

    (void)snprintf(both, sizeof(both), "%s%s", fixture_root, fixture_intermediate);
    context.ca = text(both);
    start_with(&l, &g, state, GATE_ON_OCSP, context);
    visit(&l, &g, &s, &plan, lr_slice_of(NULL, 0), "open ocsp secure data:4 end close:clean ");
    expect_certificate(s.certificate, s.certificate_len, fixture_leaf);
    expect_certificate(s.issuer, s.issuer_len, fixture_intermediate);
    stop(&l, &g);
}

static void live_S29_a_self_signed_leaf_has_no_issuer(void **state)
{
    tls_plan plan = {.ocsp = true};
    stapling s = {0};
    lr_slice leaf;
    live l;
    gate g;

    start(&l, &g, state, GATE_ON_OCSP);
    visit(&l, &g, &s, &plan, lr_slice_of(NULL, 0), "open ocsp secure data:4 end close:clean ");
    leaf = lr_context_certificate(l.context);
    assert_int_equal(s.certificate_len, leaf.len);
    assert_memory_equal(s.certificate, leaf.bytes, leaf.len);
    assert_int_equal(s.issuer_len, 0);
    stop(&l, &g);
}

/* Of several certificates the one that this client gets. */
static void live_S25_the_question_names_the_certificate_that_is_served(void **state)
{
    lr_identity both[] = {
        {LR_IDENTITY, .cert = text(fixture_ecdsa), .key = text(fixture_ecdsa_key)},
        {LR_IDENTITY, .cert = text(fixture_rsa), .key = text(fixture_rsa_key)}};
    tls_plan ecdsa = {.ocsp = true}, rsa = {.ocsp = true, .sigalgs = "RSA-PSS+SHA256"};
    stapling s = {0};
    live l;
    gate g;

    start_with(&l, &g, state, GATE_ON_OCSP,
               (lr_context_options){.identities = both, .identity_count = 2});
    visit(&l, &g, &s, &ecdsa, lr_slice_of(NULL, 0), "open ocsp secure data:4 end close:clean ");
    expect_certificate(s.certificate, s.certificate_len, fixture_ecdsa);
    visit(&l, &g, &s, &rsa, lr_slice_of(NULL, 0), "open ocsp secure data:4 end close:clean ");
    expect_certificate(s.certificate, s.certificate_len, fixture_rsa);
    stop(&l, &g);
}

/* Of the context that on_sni chose. */
static void live_S25_the_question_follows_on_sni(void **state)
{
    tls_plan plan = {.ocsp = true};
    stapling s = {.context = gate_context("chosen.test")};
    lr_slice leaf = lr_context_certificate(s.context);
    live l;
    gate g;

    start(&l, &g, state, GATE_ON_SNI | GATE_ON_OCSP);
    visit(&l, &g, &s, &plan, lr_slice_of(NULL, 0),
          "open sni:localhost ocsp secure data:4 end close:clean ");
    assert_int_equal(s.certificate_len, leaf.len);
    assert_memory_equal(s.certificate, leaf.bytes, leaf.len);
    lr_context_release(s.context);
    stop(&l, &g);
}

/* Handlers are fixed when a server is made, so the hook of one is nothing to another. */
static void live_S30_each_server_has_its_own_hooks(void **state)
{
    lr_handlers with = gate_handlers(GATE_ON_OCSP), without = gate_handlers(0);
    gate first, second;
    live_plan plan = {.ring = live_ring(state), .handlers = &with, .user = &first};
    tls_plan to = {.ocsp = true};
    stapling s = {.by_ocsp = random_bytes(9, 50)};
    live l = {0}, other = {0};

    gate_init(&first);
    gate_init(&second);
    first.fn = second.fn = staple;
    l.workers = live_workers(&plan);
    l.context = live_context(&plan);
    l.server = live_server(l.workers, l.context, &plan);
    l.port = live_listen(l.server, NULL);
    plan.handlers = &without;
    plan.user = &second;
    other.server = live_server(l.workers, l.context, &plan);
    other.port = live_listen(other.server, NULL);
    live_run(l.workers);
    visit(&l, &first, &s, &to, lr_bytes_slice(s.by_ocsp),
          "open ocsp secure data:4 end close:clean ");
    visit(&other, &second, &s, &to, lr_slice_of(NULL, 0), "open secure data:4 end close:clean ");
    lr_workers_stop(l.workers, LR_NONE);
    lr_workers_join(l.workers);
    lr_server_free(other.server);
    live_stop(&l, LR_NONE);
    lr_bytes_release(s.by_ocsp);
    gate_fini(&first);
    gate_fini(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S26_a_staple_arrives_byte_for_byte),
        LIVE_TEST(live_S27_without_a_response_the_handshake_goes_on_without_staple),
        LIVE_TEST(live_S27_without_the_hook_nothing_is_stapled),
        LIVE_TEST(live_S31_who_did_not_ask_is_not_asked_for),
        LIVE_TEST(live_S31_each_handshake_asks_once),
        LIVE_TEST(live_S25_the_staple_of_on_hello_makes_the_question_needless),
        LIVE_TEST(live_S29_the_issuer_is_that_of_the_chain_or_empty),
        LIVE_TEST(live_S29_ca_supplies_the_issuer),
        LIVE_TEST(live_S29_a_self_signed_leaf_has_no_issuer),
        LIVE_TEST(live_S25_the_question_names_the_certificate_that_is_served),
        LIVE_TEST(live_S25_the_question_follows_on_sni),
        LIVE_TEST(live_S30_each_server_has_its_own_hooks),
    };

    return LIVE_MAIN(tests);
}
