/* SPDX-License-Identifier: MIT */
/* The wolfSSL that tools/deps builds, alone: no code of lockring is linked. A new release of
 * wolfSSL or a changed user_settings.h is tried here first (docs/wolfssl-upgrade.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* The three functions that user_settings.h asks of lockring, here with counters. */
static int rand_calls, seconds_calls, milliseconds_calls;
static int64_t clock_ahead_s;

int lr__rand_block(unsigned char *out, unsigned int size)
{
    rand_calls++;
    return getrandom(out, size, 0) == (ssize_t)size ? 0 : -1;
}

time_t lr__wall_time(time_t *out)
{
    time_t now = time(NULL) + (time_t)clock_ahead_s;

    seconds_calls++;
    if (out != NULL)
        *out = now;
    return now;
}

int64_t lr__wall_time_ms(void)
{
    milliseconds_calls++;
    return ((int64_t)time(NULL) + clock_ahead_s) * 1000;
}

/* Two queues stand for the wire. */
typedef struct wire {
    uint8_t bytes[65536];
    size_t from, to;
} wire;

typedef struct endpoint {
    wire *in, *out;
    int secret_count;
} endpoint;

static uint8_t certificate[1024], key[256];
static int certificate_size, key_size;

static int take(WOLFSSL *ssl, char *out, int size, void *arg)
{
    wire *in = ((endpoint *)arg)->in;
    size_t n = in->to - in->from;

    (void)ssl;
    if (n == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    if (n > (size_t)size)
        n = (size_t)size;
    memcpy(out, in->bytes + in->from, n);
    in->from += n;
    return (int)n;
}

static int give(WOLFSSL *ssl, char *bytes, int size, void *arg)
{
    wire *out = ((endpoint *)arg)->out;

    (void)ssl;
    assert_true(out->to + (size_t)size <= sizeof(out->bytes));
    memcpy(out->bytes + out->to, bytes, (size_t)size);
    out->to += (size_t)size;
    return size;
}

static int count_secret(WOLFSSL *ssl, int id, const unsigned char *secret, int size, void *arg)
{
    (void)ssl, (void)id, (void)secret, (void)size;
    ((endpoint *)arg)->secret_count++;
    return 0;
}

/* A ticket that is its own content: enough to see that the callback is asked. */
static int keep_ticket(WOLFSSL *ssl, unsigned char name[WOLFSSL_TICKET_NAME_SZ],
                       unsigned char iv[WOLFSSL_TICKET_IV_SZ],
                       unsigned char mac[WOLFSSL_TICKET_MAC_SZ], int enc, unsigned char *ticket,
                       int in_size, int *out_size, void *arg)
{
    (void)ssl, (void)enc;
    for (int i = 0; i < in_size; i++)
        ticket[i] ^= 0x5a;
    memset(name, 1, WOLFSSL_TICKET_NAME_SZ);
    memset(iv, 2, WOLFSSL_TICKET_IV_SZ);
    memset(mac, 3, WOLFSSL_TICKET_MAC_SZ);
    *out_size = in_size;
    ++*(int *)arg;
    return WOLFSSL_TICKET_RET_OK;
}

static int make_certificate(void **state)
{
    Cert cert;
    ecc_key pair;
    WC_RNG rng;

    (void)state;
    assert_int_equal(wolfSSL_Init(), WOLFSSL_SUCCESS);
    assert_int_equal(wc_InitRng(&rng), 0);
    assert_int_equal(wc_ecc_init(&pair), 0);
    assert_int_equal(wc_ecc_make_key_ex(&rng, 32, &pair, ECC_SECP256R1), 0);
    key_size = wc_EccKeyToDer(&pair, key, sizeof(key));
    assert_true(key_size > 0);
    assert_int_equal(wc_InitCert(&cert), 0);
    snprintf(cert.subject.commonName, sizeof(cert.subject.commonName), "localhost");
    cert.sigType = CTC_SHA256wECDSA;
    cert.isCA = 1;
    certificate_size = wc_MakeCert(&cert, certificate, sizeof(certificate), NULL, &pair, &rng);
    assert_true(certificate_size > 0);
    certificate_size =
        wc_SignCert(cert.bodySz, cert.sigType, certificate, sizeof(certificate), NULL, &pair, &rng);
    assert_true(certificate_size > 0);
    wc_ecc_free(&pair);
    wc_FreeRng(&rng);
    return 0;
}

static WOLFSSL_CTX *new_context(WOLFSSL_METHOD *method, bool server, int *ticket_count)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method);

    assert_non_null(ctx);
    wolfSSL_CTX_SetIORecv(ctx, take);
    wolfSSL_CTX_SetIOSend(ctx, give);
    wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
    if (server) {
        assert_int_equal(wolfSSL_CTX_use_certificate_buffer(ctx, certificate, certificate_size,
                                                            WOLFSSL_FILETYPE_ASN1),
                         WOLFSSL_SUCCESS);
        assert_int_equal(
            wolfSSL_CTX_use_PrivateKey_buffer(ctx, key, key_size, WOLFSSL_FILETYPE_ASN1),
            WOLFSSL_SUCCESS);
        assert_int_equal(wolfSSL_CTX_set_TicketEncCb(ctx, keep_ticket), WOLFSSL_SUCCESS);
        assert_int_equal(wolfSSL_CTX_set_TicketEncCtx(ctx, ticket_count), WOLFSSL_SUCCESS);
    } else {
        assert_int_equal(wolfSSL_CTX_load_verify_buffer(ctx, certificate, certificate_size,
                                                        WOLFSSL_FILETYPE_ASN1),
                         WOLFSSL_SUCCESS);
        wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, NULL);
    }
    return ctx;
}

static void shake_hands(WOLFSSL *server, WOLFSSL *client)
{
    int server_result = 0, client_result = 0;

    for (int turn = 0; turn < 20 && (server_result != 1 || client_result != 1); turn++) {
        if (client_result != 1)
            client_result = wolfSSL_connect(client);
        if (server_result != 1)
            server_result = wolfSSL_accept(server);
    }
    if (client_result != 1 || server_result != 1)
        fail_msg("client %d, server %d", wolfSSL_get_error(client, client_result),
                 wolfSSL_get_error(server, server_result));
}

/* A handshake with the given group and data in both directions. */
static void run_handshake_once(WOLFSSL_METHOD *client_method, int group, const char *version,
                               const char *curve)
{
    int tickets = 0, groups[1] = {group};
    char text[16] = "";
    static wire up, down;
    endpoint server_end = {&up, &down, 0}, client_end = {&down, &up, 0};
    WOLFSSL_CTX *server_ctx = new_context(wolfSSLv23_server_method(), true, &tickets);
    WOLFSSL_CTX *client_ctx = new_context(client_method, false, NULL);
    WOLFSSL *server = wolfSSL_new(server_ctx), *client = wolfSSL_new(client_ctx);

    memset(&up, 0, sizeof(up));
    memset(&down, 0, sizeof(down));
    assert_int_equal(wolfSSL_set_groups(client, groups, 1), WOLFSSL_SUCCESS);
    assert_int_equal(wolfSSL_UseSessionTicket(client), WOLFSSL_SUCCESS);
    wolfSSL_SetIOReadCtx(server, &server_end);
    wolfSSL_SetIOWriteCtx(server, &server_end);
    wolfSSL_SetIOReadCtx(client, &client_end);
    wolfSSL_SetIOWriteCtx(client, &client_end);
    assert_int_equal(wolfSSL_set_tls13_secret_cb(server, count_secret, &server_end),
                     WOLFSSL_SUCCESS);
    shake_hands(server, client);
    assert_string_equal(wolfSSL_get_version(server), version);
    assert_string_equal(wolfSSL_get_curve_name(server), curve);
    assert_int_equal(wolfSSL_write(server, "hello", 5), 5);
    assert_int_equal(wolfSSL_read(client, text, sizeof(text)), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(wolfSSL_write(client, "world", 5), 5);
    assert_int_equal(wolfSSL_read(server, text, sizeof(text)), 5);
    assert_string_equal(text, "world");
    assert_true(tickets > 0);
    if (strcmp(version, "TLSv1.3") == 0)
        assert_true(server_end.secret_count >= 4);
    wolfSSL_free(client);
    wolfSSL_free(server);
    wolfSSL_CTX_free(client_ctx);
    wolfSSL_CTX_free(server_ctx);
}

/* Thirty times: a fault that depends on the keys drawn must show. */
static void run_handshake(WOLFSSL_METHOD *(*client_method)(void), int group, const char *version,
                          const char *curve)
{
    for (int i = 0; i < 30; i++)
        run_handshake_once(client_method(), group, version, curve);
}

static void handshake_tls13_x25519(void **state)
{
    (void)state;
    run_handshake(wolfTLSv1_3_client_method, WOLFSSL_ECC_X25519, "TLSv1.3", "X25519");
}

static void handshake_tls13_p256(void **state)
{
    (void)state;
    run_handshake(wolfTLSv1_3_client_method, WOLFSSL_ECC_SECP256R1, "TLSv1.3", "SECP256R1");
}

static void handshake_tls13_x25519mlkem768(void **state)
{
    (void)state;
    run_handshake(wolfTLSv1_3_client_method, WOLFSSL_X25519MLKEM768, "TLSv1.3", "X25519MLKEM768");
}

static void handshake_tls12_x25519(void **state)
{
    (void)state;
    run_handshake(wolfTLSv1_2_client_method, WOLFSSL_ECC_X25519, "TLSv1.2", "X25519");
}

/* Randomness, seconds and milliseconds all come from lockring: nothing reads a clock past it. */
static void hooks_are_asked(void **state)
{
    (void)state;
    rand_calls = seconds_calls = milliseconds_calls = 0;
    run_handshake(wolfTLSv1_3_client_method, WOLFSSL_ECC_X25519, "TLSv1.3", "X25519");
    assert_true(rand_calls > 0);
    assert_true(seconds_calls > 0);
    assert_true(milliseconds_calls > 0);
}

/* A certificate is judged by lockring's clock: ten years ahead it has expired. */
static void certificate_expires_by_our_clock(void **state)
{
    (void)state;
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();

    assert_int_equal(wolfSSL_CertManagerLoadCABuffer(manager, certificate, certificate_size,
                                                     WOLFSSL_FILETYPE_ASN1),
                     WOLFSSL_SUCCESS);
    assert_int_equal(wolfSSL_CertManagerVerifyBuffer(manager, certificate, certificate_size,
                                                     WOLFSSL_FILETYPE_ASN1),
                     WOLFSSL_SUCCESS);
    clock_ahead_s = 10 * 365 * 86400LL;
    assert_int_not_equal(wolfSSL_CertManagerVerifyBuffer(manager, certificate, certificate_size,
                                                         WOLFSSL_FILETYPE_ASN1),
                         WOLFSSL_SUCCESS);
    clock_ahead_s = 0;
    wolfSSL_CertManagerFree(manager);
}

/* No CBC, RC4, 3DES, NULL, static RSA or PSK suite is compiled in. */
static void suites_are_aead_with_forward_secrecy(void **state)
{
    (void)state;
    char names[4096];
    char *rest = names;

    assert_int_equal(wolfSSL_get_ciphers(names, sizeof(names)), WOLFSSL_SUCCESS);
    for (char *name = strtok_r(rest, ":", &rest); name != NULL; name = strtok_r(NULL, ":", &rest)) {
        if (strstr(name, "GCM") == NULL && strstr(name, "POLY1305") == NULL)
            fail_msg("%s is no AEAD suite", name);
        if (strncmp(name, "TLS13-", 6) != 0 && strncmp(name, "ECDHE-", 6) != 0 &&
            strncmp(name, "DHE-RSA-", 8) != 0)
            fail_msg("%s has no forward secrecy", name);
    }
}

/* Both are one key, encrypted by OpenSSL with the pass phrase "secret". */
static const char old_pem[] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "Proc-Type: 4,ENCRYPTED\n"
                              "DEK-Info: AES-256-CBC,6FA4BBFE8D641B5E87B4CE80E23B8017\n"
                              "\n"
                              "WzM/yyGogzmA8W4ee3w2xPYAGR1bS4bwOM79lObYVbNxICXvf5IsUwVBDV2jJ+el\n"
                              "uKlG/FIa4AN/Q7bOw968YoXQdEI1C4KOaVoDoYe61sv6ltFsWPox15EkqDzPV494\n"
                              "L7nWQRe6y0cKA2kIi7qBBOJ0d4yInTjFXudAq2iuoFY=\n"
                              "-----END EC PRIVATE KEY-----\n";
static const char pkcs8_pem[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjUedh7So0uHQICCAAw\n"
                                "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEFXJqv6ZYFKbbSnq5rhRY/QEgZBo\n"
                                "E/h4nHpyu2LcuCzEpNtVhNOJqUqD4/j/vQKK5VHblff6TOVbDKHCOFw1/rfTtimL\n"
                                "cqOieRp2uaINOzL3COT+pbe9veIb6mJpF7yBrT2XzkSpEBW1HD2CctJ0X0NtS4l1\n"
                                "vGeMEcTqhHdX8CSHXfuUxAlnVo2CwtvN5LCV9BUZXoHXtKcwN9itYrfEfRoHtMY=\n"
                                "-----END ENCRYPTED PRIVATE KEY-----\n";

static void decrypt_key(const char *pem, size_t size)
{
    byte der[256];
    word32 index = 0;
    ecc_key pair;
    int der_size;

    der_size = wc_KeyPemToDer((const byte *)pem, (int)size, der, (int)sizeof(der), "secret");
    assert_true(der_size > 0);
    assert_int_equal(wc_ecc_init(&pair), 0);
    assert_int_equal(wc_EccPrivateKeyDecode(der, &index, &pair, (word32)der_size), 0);
    wc_ecc_free(&pair);
}

/* The suites have no CBC, but the cipher itself is there for encrypted keys. */
static void encrypted_keys_open(void **state)
{
    (void)state;
    decrypt_key(old_pem, sizeof(old_pem) - 1);
    decrypt_key(pkcs8_pem, sizeof(pkcs8_pem) - 1);
}

/* Leaves something in every vector register, high halves included. */
static void soil_vector_registers(void)
{
#if defined(__x86_64__)
    static uint8_t noise[32];

    assert_int_equal(getrandom(noise, sizeof(noise), 0), sizeof(noise));
    if (!__builtin_cpu_supports("avx2"))
        return;
    __asm__ volatile(
        "vmovdqu %0, %%ymm0\n vmovdqu %0, %%ymm1\n vmovdqu %0, %%ymm2\n vmovdqu %0, %%ymm3\n"
        "vmovdqu %0, %%ymm4\n vmovdqu %0, %%ymm5\n vmovdqu %0, %%ymm6\n vmovdqu %0, %%ymm7\n"
        "vmovdqu %0, %%ymm8\n vmovdqu %0, %%ymm9\n vmovdqu %0, %%ymm10\n vmovdqu %0, %%ymm11\n"
        "vmovdqu %0, %%ymm12\n vmovdqu %0, %%ymm13\n vmovdqu %0, %%ymm14\n vmovdqu %0, %%ymm15\n"
        :
        : "m"(noise)
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
#endif
}

/* See mend_wolfssl in tools/deps. */
static void x25519_keys_do_not_depend_on_registers(void **state)
{
    byte secret[32], first[32], again[32];

    (void)state;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(getrandom(secret, sizeof(secret), 0), sizeof(secret));
        secret[0] &= 248;
        secret[31] = (byte)((secret[31] & 127) | 64);
        soil_vector_registers();
        assert_int_equal(wc_curve25519_make_pub(32, first, 32, secret), 0);
        soil_vector_registers();
        assert_int_equal(wc_curve25519_make_pub(32, again, 32, secret), 0);
        assert_memory_equal(first, again, sizeof(first));
    }
}

static int clean_up(void **state)
{
    (void)state;
    wolfSSL_Cleanup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_tls13_x25519),
        cmocka_unit_test(handshake_tls13_p256),
        cmocka_unit_test(handshake_tls13_x25519mlkem768),
        cmocka_unit_test(handshake_tls12_x25519),
        cmocka_unit_test(hooks_are_asked),
        cmocka_unit_test(certificate_expires_by_our_clock),
        cmocka_unit_test(suites_are_aead_with_forward_secrecy),
        cmocka_unit_test(encrypted_keys_open),
        cmocka_unit_test(x25519_keys_do_not_depend_on_registers),
    };

    return cmocka_run_group_tests(tests, make_certificate, clean_up);
}
