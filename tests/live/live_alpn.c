/* SPDX-License-Identifier: MIT */
/* live_alpn.c: protocols by ALPN, and NPN, which ALPN has replaced: the rows S12, S14, S42, S43,
 * S124, S125 of the reference, each in TLS 1.2 and 1.3. */
#include "client.h"

#include <stdio.h>
#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* What NPN agreed on at the client; OpenSSL calls this only where the server has told protocols. */
static int choose_npn(SSL *ssl, unsigned char **out, unsigned char *out_len,
                      const unsigned char *in, unsigned in_len, void *arg)
{
    static unsigned char first[] = "spdy/1";

    (void)ssl;
    (void)in;
    (void)in_len;
    *(bool *)arg = true;
    *out = first;
    *out_len = 6;
    return SSL_TLSEXT_ERR_OK;
}

typedef struct offer {
    const char *alpn; /* wire form; null: none */
    bool npn;
} offer;

/* What the handler was told, "-" for nothing. */
static void tell_protocol(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    lr_slice alpn = lr_conn_alpn(c);

    if (hook == LIVE_SECURE)
        live_note(&recorder->events, "%.*s", alpn.len ? (int)alpn.len : 1,
                  alpn.len ? (const char *)alpn.bytes : "-");
    live_echo(c, hook, bytes);
}

/* A client as offered at a server of these options, once per version. Both sides agree on want, ""
 * for none; null: the handshake ends with alert 120. */
static void expect_protocol(void **state, const lr_context_options *context, const offer *o,
                            const char *want)
{
    for (size_t i = 0; i < LIVE_COUNT_OF(versions); i++) {
        live_recorder recorder;
        live_plan plan = {
            .ring = live_ring(state), .user = &recorder, .worker_count = 1, .context = *context};
        tls_plan to = {.version = versions[i], .alpn = o->alpn};
        SSL_CTX *ctx = tls_ctx_new(&to);
        bool secure, npn = false;
        const unsigned char *got;
        char text[160];
        unsigned len;
        tls_client t;
        live l;

        live_recorder_init(&recorder);
        recorder.act = tell_protocol;
        live_start(&l, &plan);
        if (o->npn)
            SSL_CTX_set_next_proto_select_cb(ctx, choose_npn, &npn);
        TLS_MUST(&t, tls_connect(&t, ctx, NULL, l.port, "localhost"));
        secure = tls_handshake(&t);
        assert_int_equal(secure, want != NULL);
        assert_false(npn); /* whatever was offered, nothing was told of it */
        if (secure) {
            SSL_get0_alpn_selected(t.ssl, &got, &len);
            assert_int_equal(len, strlen(want));
            assert_memory_equal(got, want, len);
            TLS_MUST(&t, tls_end_write(&t));
            assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
            (void)snprintf(text, sizeof(text), "open secure %s end close:clean ",
                           want[0] != '\0' ? want : "-");
        } else {
            assert_int_equal(tls_alert_of(&t), 120);
            (void)snprintf(text, sizeof(text), "open client_error:LR_EALPN:120 close:LR_EALPN ");
        }
        tls_close(&t, false);
        assert_true(live_await_counts(&recorder.events, 1, secure, 1));
        live_expect(&recorder.events, text);
        live_stop(&l, LR_NONE);
        live_recorder_fini(&recorder);
        SSL_CTX_free(ctx);
    }
}

/* The protocol chooses the program: one echoes, the other says its name. */
static void speak(lr_conn *c, live_hook hook, lr_slice bytes, live_recorder *recorder)
{
    lr_slice alpn = lr_conn_alpn(c);

    (void)recorder;
    if (hook == LIVE_DATA && alpn.len == 4 && memcmp(alpn.bytes, "name", 4) == 0)
        bytes = alpn;
    live_echo(c, hook, bytes);
}

static void live_S12_one_server_speaks_several_protocols(void **state)
{
    static const char *const protocols[] = {"\4echo", "\4name"}, *const answers[] = {"ping",
                                                                                     "name"};
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = 1,
                      .context = {.alpn = "echo,name"}};
    live l;

    live_recorder_init(&recorder);
    recorder.act = speak;
    live_start(&l, &plan);
    for (size_t i = 0; i < 4; i++) {
        tls_plan to = {.version = versions[i / 2], .alpn = protocols[i % 2]};
        tls_client t;
        char got[4];

        TLS_MUST(&t, tls_open(&t, l.port, &to));
        TLS_MUST(&t, tls_write(&t, "ping", 4));
        TLS_MUST(&t, tls_read(&t, got, 4));
        assert_memory_equal(got, answers[i % 2], 4);
        TLS_MUST(&t, tls_end_write(&t));
        assert_int_equal(tls_read_end(&t), TLS_END_NOTIFY);
        tls_close(&t, false);
    }
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

static void live_S14_a_client_with_npn_and_alpn_gets_alpn(void **state)
{
    const lr_context_options options = {.alpn = "h2,http/1.1"};

    expect_protocol(state, &options, &(offer){"\10http/1.1", true}, "http/1.1");
    expect_protocol(state, &options, &(offer){"\4spdy", true}, NULL);
}

static void live_S42_where_npn_alone_is_offered_no_protocol_is_told(void **state)
{
    const lr_context_options options = {.alpn = "spdy/1,http/1.1"};

    expect_protocol(state, &options, &(offer){NULL, true}, "");
    expect_protocol(state, &options, &(offer){"\6spdy/1", true}, "spdy/1");
}

static void live_S43_the_protocol_is_told_or_that_there_is_none(void **state)
{
    lr_context_options options = {.alpn = "h2,http/1.1"}, none = {0};

    expect_protocol(state, &options, &(offer){"\2h2", false}, "h2");
    expect_protocol(state, &options, &(offer){NULL, false}, "");
    expect_protocol(state, &none, &(offer){"\2h2", false}, "");
    expect_protocol(state, &options, &(offer){"\2h3", false}, NULL);
    options.alpn_required = LR_OFF;
    expect_protocol(state, &options, &(offer){"\2h3", false}, "");
    options.alpn_required = LR_DEFAULT;
    options.profile = LR_PROFILE_NODE4;
    expect_protocol(state, &options, &(offer){"\2h3", false}, "");
    options.alpn_required = LR_ON;
    expect_protocol(state, &options, &(offer){"\2h3", false}, NULL);
}

static void live_S124_npn_is_answered_by_no_profile(void **state)
{
    lr_context_options options = {.profile = LR_PROFILE_NODE4, .alpn = "spdy/1"}, none = {0};

    expect_protocol(state, &options, &(offer){NULL, true}, "");
    expect_protocol(state, &none, &(offer){NULL, true}, "");
}

static void live_S125_the_order_of_the_server_decides(void **state)
{
    lr_context_options options = {.alpn = "h2,http/1.1"};

    expect_protocol(state, &options, &(offer){"\10http/1.1\2h2", false}, "h2");
    options.alpn = "http/1.1,h2";
    expect_protocol(state, &options, &(offer){"\2h2\10http/1.1", false}, "http/1.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_S12_one_server_speaks_several_protocols),
        LIVE_TEST(live_S14_a_client_with_npn_and_alpn_gets_alpn),
        LIVE_TEST(live_S42_where_npn_alone_is_offered_no_protocol_is_told),
        LIVE_TEST(live_S43_the_protocol_is_told_or_that_there_is_none),
        LIVE_TEST(live_S124_npn_is_answered_by_no_profile),
        LIVE_TEST(live_S125_the_order_of_the_server_decides),
    };

    return LIVE_MAIN(tests);
}
