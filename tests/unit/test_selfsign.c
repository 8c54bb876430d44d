/* SPDX-License-Identifier: MIT */
/* Certificates made in memory: names and addresses in them, and that clients which trust such a
 * certificate accept it. The OpenSSL program, where it is there, has the last word. */
#include "support.h"

#include "core/base/mem.h"
#include "core/tls/context.h"
#include "core/tls/x509.h"
#include "tls_client.h"
#include "tls_server.h"

#include <wolfssl/wolfcrypt/asn_public.h>

#include <stdio.h>
#include <stdlib.h>

enum { DAY_S = 86400 };

static tls_world world;
static lr_error err;

static int enter(void **state)
{
    (void)state;
    tls_world_enter(&world, 5);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    tls_world_leave(&world);
    return 0;
}

static lr_context *made(const char *names)
{
    lr_context_options options = {LR_CONTEXT_OPTIONS, .self_signed = names};
    lr_context *context;

    if (lr_context_new(&options, &context, &err) != LR_OK)
        fail_msg("%s: %s", names, err.text);
    return context;
}

static const char *pem_of(const lr_context *context)
{
    static char pem[4096];
    lr_slice der = lr_context_certificate(context);
    int len = wc_DerToPem(der.bytes, (word32)der.len, (byte *)pem, sizeof(pem) - 1, CERT_TYPE);

    assert_true(len > 0);
    pem[len] = '\0';
    return pem;
}

static void assert_client_accepts(lr_context *context, const char *name, int failure)
{
    static tls_server server;
    tls_client client;

    for (unsigned v = LR_TLS_1_2; v <= LR_TLS_1_3; v++) {
        tls_client_plan plan = {
            .version_max = (lr_tls_version)v, .trust = pem_of(context), .verify_name = name};

        tls_server_init(&server, context);
        tls_client_init(&client, &plan);
        tls_shake_hands(&server, &client, 0);
        if (client.failure != failure)
            fail_msg("%s: the client says %d", name, client.failure);
        assert_int_equal(server.status, failure == 0 ? LR_OK : LR_EALERT);
        tls_client_fini(&client);
        tls_server_fini(&server);
    }
}

static void a_client_that_trusts_it_accepts_each_of_its_names(void **state)
{
    lr_context *context = made("localhost,www.example.org,*.wild.example,127.0.0.1");

    (void)state;
    assert_client_accepts(context, "localhost", 0);
    assert_client_accepts(context, "www.example.org", 0);
    assert_client_accepts(context, "any.wild.example", 0);
    assert_client_accepts(context, "example.org", DOMAIN_NAME_MISMATCH);
    lr_context_release(context);
}

static void a_client_that_does_not_know_it_refuses_it(void **state)
{
    lr_context *context = made("localhost"), *other = made("localhost");
    tls_client_plan plan = {.trust = pem_of(other)};
    static tls_server server;
    tls_client client;

    (void)state;
    tls_server_init(&server, context);
    tls_client_init(&client, &plan);
    tls_shake_hands(&server, &client, 0);
    assert_int_not_equal(client.failure, 0);
    assert_int_equal(server.status, LR_EALERT);
    tls_client_fini(&client);
    tls_server_fini(&server);
    lr_context_release(context);
    lr_context_release(other);
}

static bool holds(lr_slice whole, const void *part, size_t len)
{
    return memmem(whole.bytes, whole.len, part, len) != NULL;
}

static void addresses_are_addresses_and_names_are_names(void **state)
{
    lr_context *context = made("host.example,192.0.2.7,2001:db8::1");
    lr_slice der = lr_context_certificate(context);

    (void)state;
    assert_true(holds(der, "\x82\x0chost.example", 14));
    assert_true(holds(der, "\x87\x04\xc0\x00\x02\x07", 6));
    assert_true(holds(der, "\x87\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 18));
    assert_false(holds(der, "192.0.2.7", 9));
    lr_context_release(context);
}

static void it_is_valid_for_thirty_days_from_now(void **state)
{
    lr_context *context = made("localhost");
    int64_t now = world.wall_ms / 1000;
    lr__x509 x509;

    (void)state;
    assert_true(lr__x509_parse(lr_context_certificate(context), &x509));
    assert_in_range(x509.not_before, now - 2 * DAY_S, now);
    assert_in_range(x509.not_after, now + 29 * DAY_S, now + 31 * DAY_S);
    lr_context_release(context);
}

static void no_two_share_a_key_or_a_serial(void **state)
{
    lr_context *first = made("localhost"), *second = made("localhost");
    lr__x509 a, b;

    (void)state;
    assert_true(lr__x509_parse(lr_context_certificate(first), &a));
    assert_true(lr__x509_parse(lr_context_certificate(second), &b));
    assert_int_equal(a.public_key_info.len, b.public_key_info.len);
    assert_memory_not_equal(a.public_key_info.bytes, b.public_key_info.bytes,
                            a.public_key_info.len);
    assert_true(a.serial.len >= 8 && a.serial.len <= 20);
    assert_true((a.serial.bytes[0] & 0x80) == 0);
    assert_true(a.serial.len != b.serial.len ||
                memcmp(a.serial.bytes, b.serial.bytes, a.serial.len) != 0);
    assert_int_equal(a.subject.len, a.issuer.len);
    assert_memory_equal(a.subject.bytes, a.issuer.bytes, a.subject.len);
    lr_context_release(first);
    lr_context_release(second);
}

static void assert_refused(const char *names, const char *what)
{
    uint64_t live = lr__mem_read().live;
    lr_context_options options = {LR_CONTEXT_OPTIONS, .self_signed = names};
    lr_context *context;

    assert_int_equal(lr_context_new(&options, &context, &err), LR_EOPTION);
    assert_null(context);
    assert_non_null(strstr(err.text, "self_signed"));
    assert_non_null(strstr(err.text, what));
    assert_int_equal(lr__mem_read().live, live);
}

static void names_that_are_none_are_refused(void **state)
{
    static char many[40000];
    char longest[300];

    (void)state;
    assert_refused("", "empty");
    assert_refused("localhost,", "empty");
    assert_refused(",localhost", "empty");
    assert_refused("a,,b", "empty");
    memset(longest, 'a', sizeof(longest));
    longest[254] = '\0';
    assert_refused(longest, "too long");
    for (size_t i = 0; i + 1 < sizeof(many); i++)
        many[i] = i % 50 == 49 ? ',' : 'n';
    many[sizeof(many) - 2] = 'n';
    assert_refused(many, "too many names");
}

static void a_name_longer_than_a_common_name_is_taken(void **state)
{
    char name[254];

    (void)state;
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = i % 50 == 49 ? '.' : 'a';
    name[253] = '\0';
    lr_context_release(made(name));
    name[120] = '\0';
    lr_context_release(made(name));
}

static void run(const char *command, char *out, size_t cap)
{
    FILE *pipe_file = popen(command, "r");
    size_t len;

    assert_non_null(pipe_file);
    len = fread(out, 1, cap - 1, pipe_file);
    out[len] = '\0';
    (void)pclose(pipe_file);
}

static void openssl_reads_and_verifies_it(void **state)
{
    lr_context *context;
    char path[] = "/tmp/lockring_test_selfsign_XXXXXX";
    char command[300], said[8192];
    int fd;
    FILE *file;

    (void)state;
    run("openssl version 2>/dev/null", said, sizeof(said));
    if (strncmp(said, "OpenSSL", 7) != 0)
        skip();
    (void)lr__current_set(NULL); /* the clock that openssl sees */
    context = made("localhost,www.example.org,127.0.0.1,::1");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    assert_true(fputs(pem_of(context), file) >= 0);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(command, sizeof(command), "openssl x509 -noout -text -in %s 2>&1", path);
    run(command, said, sizeof(said));
    assert_non_null(strstr(said, "Version: 3"));
    assert_non_null(strstr(said, "CN = localhost"));
    assert_non_null(strstr(said, "ecdsa-with-SHA256"));
    assert_non_null(strstr(said, "DNS:localhost, DNS:www.example.org, IP Address:127.0.0.1, "
                                 "IP Address:0:0:0:0:0:0:0:1"));
    (void)snprintf(command, sizeof(command),
                   "openssl verify -purpose sslserver -verify_hostname www.example.org -CAfile %s "
                   "%s 2>&1; openssl verify -verify_ip ::1 -CAfile %s %s 2>&1",
                   path, path, path, path);
    run(command, said, sizeof(said));
    assert_int_equal(unlink(path), 0);
    if (strstr(said, "error") || !strstr(said, ": OK"))
        fail_msg("%s", said);
    lr_context_release(context);
    (void)lr__current_set(&world.current);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_trusts_it_accepts_each_of_its_names),
        cmocka_unit_test(a_client_that_does_not_know_it_refuses_it),
        cmocka_unit_test(addresses_are_addresses_and_names_are_names),
        cmocka_unit_test(it_is_valid_for_thirty_days_from_now),
        cmocka_unit_test(no_two_share_a_key_or_a_serial),
        cmocka_unit_test(names_that_are_none_are_refused),
        cmocka_unit_test(a_name_longer_than_a_common_name_is_taken),
        cmocka_unit_test(openssl_reads_and_verifies_it),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
