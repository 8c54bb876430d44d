/* SPDX-License-Identifier: MIT */
/* live_choice.c: what a server chooses by what its client can: the identity (B6) and the group of
 * the key exchange (B8). */
#include "client.h"

#include <stdio.h>
#include <string.h>

/* Of tests/unit/fixtures.c, whose header is not for live tests. */
extern const char fixture_ecdsa[], fixture_ecdsa_key[], fixture_rsa[], fixture_rsa_key[];
extern const char fixture_ed25519[], fixture_ed25519_key[];

#define IDENTITY(kind)                                                                             \
    {                                                                                              \
        LR_IDENTITY, .cert = {(const uint8_t *)fixture_##kind, strlen(fixture_##kind)},            \
                     .key = {(const uint8_t *)fixture_##kind##_key, strlen(fixture_##kind##_key)}, \
    }

/* The kind of key in the certificate that a client gets who can check these signatures alone;
 * EVP_PKEY_NONE: none is for it. */
static void expect_kind(const live *l, int version, const char *sigalgs, int kind)
{
    tls_plan to = {.version = version, .sigalgs = sigalgs};
    SSL_CTX *ctx = tls_ctx_new(&to);
    tls_client t;

    assert_non_null(ctx);
    TLS_MUST(&t, tls_connect(&t, ctx, NULL, l->port, "localhost"));
    SSL_CTX_free(ctx);
    if (kind == EVP_PKEY_NONE) {
        assert_false(tls_handshake(&t));
        assert_int_equal(tls_alert_of(&t), 40);
    } else {
        X509 *shown;

        TLS_MUST(&t, tls_handshake(&t));
        shown = SSL_get1_peer_certificate(t.ssl);
        assert_int_equal(EVP_PKEY_get_id(X509_get0_pubkey(shown)), kind);
        X509_free(shown);
    }
    tls_close(&t, false);
}

static void live_B6_each_client_gets_the_identity_that_it_can_check(void **state)
{
    const lr_identity identities[] = {IDENTITY(ed25519), IDENTITY(ecdsa), IDENTITY(rsa)};
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state),
                      .user = &recorder,
                      .worker_count = 1,
                      .context = {.identities = identities, .identity_count = 3}};
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        expect_kind(&l, version, "RSA-PSS+SHA256", EVP_PKEY_RSA);
        expect_kind(&l, version, "ECDSA+SHA256", EVP_PKEY_EC);
        expect_kind(&l, version, "ed25519", EVP_PKEY_ED25519);
        expect_kind(&l, version, "RSA-PSS+SHA256:ECDSA+SHA256", EVP_PKEY_EC);
        expect_kind(&l, version, "RSA-PSS+SHA256:ECDSA+SHA256:ed25519", EVP_PKEY_ED25519);
    }
    expect_kind(&l, TLS1_3_VERSION, "ECDSA+SHA512", EVP_PKEY_NONE); /* of P-521 alone there */
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

enum { X25519 = 0x001d, P256 = 0x0017, MLKEM = 0x11ec, MLKEM_KEY = 1184, ROOM = 4096 };

/* Bytes that are written one behind the other. */
typedef struct text {
    uint8_t bytes[ROOM];
    size_t len;
} text;

static void put(text *t, const void *bytes, size_t len)
{
    assert_true(t->len + len <= sizeof(t->bytes));
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
}

static void put_u16(text *t, size_t value)
{
    const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    put(t, bytes, 2);
}

/* A share of that group: the base point, and for ML-KEM a key of zeros, which is one (FIPS 203
 * 7.2 asks that its numbers be below 3329). Nobody can use what comes back, and nobody wants to. */
static void put_share(text *t, unsigned group)
{
    static const uint8_t zeros[MLKEM_KEY], base[32] = {9};
    static const uint8_t p256[65] = {
        4,    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5,
        0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4,
        0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a,
        0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
        0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};

    put_u16(t, group);
    if (group == P256) {
        put_u16(t, sizeof(p256));
        put(t, p256, sizeof(p256));
    } else {
        put_u16(t, sizeof(base) + (group == MLKEM ? MLKEM_KEY : 0));
        put(t, zeros, group == MLKEM ? MLKEM_KEY : 0);
        put(t, base, sizeof(base));
    }
}

/* A ClientHello of TLS 1.3 with a share of each of these groups, in the client's order. */
static void make_hello(text *out, const unsigned *groups, size_t count)
{
    static const uint8_t suites[] = {0, 0, 2, 0x13, 0x01, 1, 0}; /* and no session id */
    static const uint8_t versions[] = {0, 43, 0, 3, 2, 3, 4};
    static const uint8_t sigalgs[] = {0, 13, 0, 4, 0, 2, 4, 3};
    static const uint8_t random[32] = "thirty-two bytes of no great art";
    text shares = {.len = 0}, extensions = {.len = 0}, body = {.len = 0};

    for (size_t i = 0; i < count; i++)
        put_share(&shares, groups[i]);
    put(&extensions, versions, sizeof(versions));
    put(&extensions, sigalgs, sizeof(sigalgs));
    put_u16(&extensions, 10);
    put_u16(&extensions, 2 + 2 * count);
    put_u16(&extensions, 2 * count);
    for (size_t i = 0; i < count; i++)
        put_u16(&extensions, groups[i]);
    put_u16(&extensions, 51);
    put_u16(&extensions, 2 + shares.len);
    put_u16(&extensions, shares.len);
    put(&extensions, shares.bytes, shares.len);
    put_u16(&body, 0x0303);
    put(&body, random, sizeof(random));
    put(&body, suites, sizeof(suites));
    put_u16(&body, extensions.len);
    put(&body, extensions.bytes, extensions.len);
    out->len = 0;
    put(out, "\x16\x03\x01", 3);
    put_u16(out, 4 + body.len);
    put(out, "\x01\x00", 2);
    put_u16(out, body.len);
    put(out, body.bytes, body.len);
}

/* The group of the ServerHello's key share; a HelloRetryRequest has no such share. */
static unsigned group_of(const uint8_t *hello, size_t len)
{
    size_t at = 4 + 2 + 32 + 1 + 2 + 1 + 2; /* no session id: behind the extensions' length */

    while (at + 6 <= len) {
        size_t size = (size_t)(hello[at + 2] << 8 | hello[at + 3]);

        if (hello[at] == 0 && hello[at + 1] == 51 && size > 4)
            return (unsigned)(hello[at + 4] << 8 | hello[at + 5]);
        at += 4 + size;
    }
    return 0;
}

static void expect_group(const live *l, const unsigned *groups, size_t count, unsigned want)
{
    static uint8_t got[ROOM];
    text hello;
    size_t len;
    int sock = tcp_connect(NULL, l->port);

    make_hello(&hello, groups, count);
    assert_true(sock >= 0 && tcp_send(sock, hello.bytes, hello.len) && tcp_read(sock, got, 5));
    assert_int_equal(got[0], 22);
    len = (size_t)(got[3] << 8 | got[4]);
    assert_true(len <= sizeof(got) && tcp_read(sock, got, len));
    assert_int_equal(got[0], 2); /* ServerHello */
    assert_int_equal(group_of(got, len), want);
    tcp_reset(sock);
}

static void live_B8_the_hybrid_group_comes_first_by_default(void **state)
{
    static const unsigned all[] = {P256, X25519, MLKEM}, old[] = {P256, X25519};
    live_recorder recorder;
    live_plan plan = {.ring = live_ring(state), .user = &recorder, .worker_count = 1};
    live l;

    live_recorder_init(&recorder);
    live_start(&l, &plan);
    expect_group(&l, all, 3, MLKEM);
    expect_group(&l, old, 2, X25519);
    expect_group(&l, old, 1, P256);
    live_stop(&l, LR_NONE);
    plan.context.groups = "X25519:X25519MLKEM768";
    live_start(&l, &plan);
    expect_group(&l, all, 3, X25519);
    expect_group(&l, all + 2, 1, MLKEM);
    live_stop(&l, LR_NONE);
    live_recorder_fini(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(live_B6_each_client_gets_the_identity_that_it_can_check),
        LIVE_TEST(live_B8_the_hybrid_group_comes_first_by_default),
    };

    return LIVE_MAIN(tests);
}
