/* SPDX-License-Identifier: MIT */
/* The view of a certificate (S80). */
#include "support.h"

#include "core/tls/cert_text.h"
#include "core/tls/library.h"
#include "core/tls/pem.h"
#include "tests/live/pki.h"
#include "tls_client.h"

#include <lockring/certificate.h>

static tls_world world;
static lr__der_list read_files; /* what the views point into */

static int enter(void **state)
{
    lr_error err;

    (void)state;
    tls_world_enter(&world, 11);
    return lr__tls_init(&err) == LR_OK ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    lr__der_list_fini(&read_files);
    tls_world_leave(&world);
    return 0;
}

static lr_certificate view_of(const char *name)
{
    static const lr__pem_kind kind = {"certificate", {"CERTIFICATE"}, LR_ECERTIFICATE};
    lr__input input = {.name = name, .bytes = pki_file(name)};
    const lr__der *last;
    lr_certificate out;
    lr_error err;

    assert_int_equal(lr__der_list_add(&read_files, &input, &kind, &err), LR_OK);
    last = &read_files.items[read_files.count - 1];
    assert_true(lr_certificate_parse(lr_slice_of(last->bytes, last->size), &out));
    return out;
}

static void who_it_is_and_who_made_it_is_told(void **state)
{
    lr_certificate client = view_of("client.pem");
    char text[256];

    (void)state;
    (void)lr_certificate_subject(&client, text, sizeof(text));
    assert_string_equal(text, "emailAddress=client@example.com,CN=Zo\xc3\xab\\, \\\"the\\\" client,"
                              "OU=tests,O=lockring,C=DE");
    (void)lr_certificate_issuer(&client, text, sizeof(text));
    assert_string_equal(text, "CN=peer root,O=lockring,C=DE");
    (void)lr_certificate_attribute(client.subject, "CN", 0, text, sizeof(text));
    assert_string_equal(text, "Zo\xc3\xab, \"the\" client");
    (void)lr_certificate_attribute(client.subject, "2.5.4.6", 0, text, sizeof(text));
    assert_string_equal(text, "DE");
    (void)lr_certificate_attribute(client.subject, "emailAddress", 0, text, sizeof(text));
    assert_string_equal(text, "client@example.com");
    assert_int_equal(lr_certificate_attribute(client.subject, "CN", 1, text, sizeof(text)), 0);
    assert_string_equal(text, "");
    assert_int_equal(lr_certificate_attribute(client.subject, "DC", 0, text, sizeof(text)), 0);
    client = view_of("multi.pem");
    (void)lr_certificate_subject(&client, text, sizeof(text));
    assert_true(strcmp(text, "CN=multi-valued,O=lockring+OU=tests,C=DE") == 0 ||
                strcmp(text, "CN=multi-valued,OU=tests+O=lockring,C=DE") == 0);
}

/* As openssl x509 -noout -serial -dates -fingerprint -sha256 says of the same file. */
static void numbers_dates_and_fingerprints_are_told(void **state)
{
    lr_certificate client = view_of("client.pem"), early = view_of("not_yet.pem");
    char text[200], command[600], said[200] = "";
    FILE *openssl;

    (void)state;
    assert_int_equal(client.version, 3);
    (void)lr_certificate_time_text(client.valid_from, text, sizeof(text));
    assert_string_equal(text, "Jan  1 00:00:00 2020 GMT");
    (void)lr_certificate_time_text(early.valid_from, text, sizeof(text));
    assert_string_equal(text, "Jan  1 00:00:00 2125 GMT");
    (void)lr_certificate_serial(&client, text, sizeof(text));
    assert_int_equal(strspn(text, "0123456789ABCDEF"), strlen(text));
    assert_int_equal(lr_certificate_fingerprint(&client, LR_DIGEST_SHA1, text, sizeof(text)), 59);
    assert_int_equal(lr_certificate_fingerprint(&client, LR_DIGEST_SHA512, text, sizeof(text)),
                     191);
    assert_int_equal(lr_certificate_fingerprint(&client, LR_DIGEST_SHA256, text, sizeof(text)), 95);
    (void)snprintf(command, sizeof(command),
                   "openssl x509 -in '%s' -noout -fingerprint -sha256 2>/dev/null",
                   pki_path("client.pem"));
    openssl = popen(command, "r");
    assert_non_null(openssl);
    if (fgets(said, sizeof(said), openssl) && strchr(said, '=')) {
        said[strcspn(said, "\n")] = '\0';
        assert_string_equal(strchr(said, '=') + 1, text);
    }
    (void)pclose(openssl);
}

static void other_names_purposes_and_places_are_told(void **state)
{
    lr_certificate client = view_of("client.pem"), server = view_of("server.pem");
    lr_slice uri = lr_certificate_ocsp_uri(&client);
    lr_alt_name name;
    char text[100];

    (void)state;
    assert_true(lr_certificate_alt_name(&client, 0, &name));
    assert_int_equal(name.kind, LR_ALT_NAME_EMAIL);
    (void)lr_alt_name_text(&name, text, sizeof(text));
    assert_string_equal(text, "email:client@example.com");
    assert_true(lr_certificate_alt_name(&client, 1, &name));
    (void)lr_alt_name_text(&name, text, sizeof(text));
    assert_string_equal(text, "URI:urn:lockring:client");
    assert_true(lr_certificate_alt_name(&client, 2, &name));
    (void)lr_alt_name_text(&name, text, sizeof(text));
    assert_int_equal(strncmp(text, "OTHER:06032A0304", 16), 0);
    assert_false(lr_certificate_alt_name(&client, 3, &name));
    assert_true(lr_certificate_alt_name(&server, 0, &name));
    (void)lr_alt_name_text(&name, text, sizeof(text));
    assert_string_equal(text, "DNS:localhost");
    assert_true(lr_certificate_alt_name(&server, 1, &name));
    (void)lr_alt_name_text(&name, text, sizeof(text));
    assert_string_equal(text, "IP:127.0.0.1");
    assert_true(lr_certificate_alt_name(&server, 2, &name));
    (void)lr_alt_name_text(&name, text, sizeof(text));
    assert_string_equal(text, "IP:::1");
    (void)lr_certificate_ext_usage(&client, 0, text, sizeof(text));
    assert_string_equal(text, "1.3.6.1.5.5.7.3.2");
    assert_int_equal(lr_certificate_ext_usage(&client, 1, text, sizeof(text)), 0);
    assert_int_equal(uri.len, strlen("http://ocsp.example.org/"));
    assert_memory_equal(uri.bytes, "http://ocsp.example.org/", uri.len);
    assert_int_equal(lr_certificate_ocsp_uri(&server).len, 0);
}

static void keys_are_told(void **state)
{
    lr_certificate ec = view_of("client.pem"), rsa = view_of("rsa.pem"),
                   small = view_of("small.pem"), inter = view_of("inter.pem");

    (void)state;
    assert_string_equal(ec.key_type, "EC");
    assert_string_equal(ec.key_curve, "P-256");
    assert_int_equal(ec.key_bits, 256);
    assert_false(ec.is_authority);
    assert_string_equal(rsa.key_type, "RSA");
    assert_string_equal(rsa.key_curve, "");
    assert_int_equal(rsa.key_bits, 2048);
    assert_int_equal(small.key_bits, 1024);
    assert_true(inter.is_authority);
}

static void a_text_is_cut_to_fit_and_its_length_is_told(void **state)
{
    lr_certificate root = view_of("root.pem");
    const char whole[] = "CN=peer root,O=lockring,C=DE";

    (void)state;
    for (size_t cap = 0; cap <= sizeof(whole) + 1; cap++) {
        char text[64];

        memset(text, 'x', sizeof(text));
        assert_int_equal(lr_certificate_subject(&root, text, cap), sizeof(whole) - 1);
        assert_int_equal(text[cap], 'x');
        if (cap > 0)
            assert_int_equal(strncmp(text, whole, cap - 1), 0);
        if (cap > 0)
            assert_int_equal(strlen(text), cap < sizeof(whole) ? cap - 1 : sizeof(whole) - 1);
    }
}

/* A name of one attribute, CN, with that string in it. */
static lr_slice name_with(uint8_t tag, const char *bytes, size_t len)
{
    static uint8_t name[128];
    const uint8_t head[] = {0x30,        (uint8_t)(len + 11),
                            0x31,        (uint8_t)(len + 9),
                            0x30,        (uint8_t)(len + 7),
                            0x06,        3,
                            0x55,        4,
                            3,           tag,
                            (uint8_t)len};

    memcpy(name, head, sizeof(head));
    memcpy(name + sizeof(head), bytes, len);
    return lr_slice_of(name, sizeof(head) + len);
}

static void what_could_be_taken_for_something_else_is_escaped(void **state)
{
    static const struct {
        uint8_t tag;
        const char *bytes;
        size_t len;
        const char *text, *attribute;
    } cases[] = {
        {0x0c, "a\0b", 3, "CN=a\\00b", ""}, /* a C string would end there */
        {0x0c, "a,CN=b+c", 8, "CN=a\\,CN\\=b\\+c", "a,CN=b+c"},
        {0x0c, " a ", 3, "CN=\\ a\\ ", " a "},
        {0x0c, "#1", 2, "CN=\\#1", "#1"},
        {0x0c, "a\nb", 3, "CN=a\\0Ab", ""},
        {0x0c, "\xc2\x85", 2, "CN=\\C2\\85", ""},
        {0x0c, "\xff", 1, "CN=#0C01FF", ""},
        {0x0c, "\xc0\x80", 2, "CN=#0C02C080", ""}, /* an overlong NUL */
        {0x0c, "\xed\xa0\x80", 3, "CN=#0C03EDA080", ""},
        {0x0c, "\xf0\x9f\x94\x92", 4, "CN=\xf0\x9f\x94\x92", "\xf0\x9f\x94\x92"},
        {0x1e, "\0a\x20\xac", 4, "CN=a\xe2\x82\xac", "a\xe2\x82\xac"},
        {0x1e, "\0a\0", 3, "CN=#1E03006100", ""},
        {0x1c, "\0\1\xf5\x12", 4, "CN=\xf0\x9f\x94\x92", "\xf0\x9f\x94\x92"},
        {0x14, "\xe9", 1, "CN=\xc3\xa9", "\xc3\xa9"},
        {0x16, "\xe9", 1, "CN=#1601E9", ""},
        {0x02, "\5", 1, "CN=#020105", ""},
        {0x0c, "", 0, "CN=", ""},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++) {
        lr_slice name = name_with(cases[i].tag, cases[i].bytes, cases[i].len);
        char text[100];
        lr__text writer = lr__text_begin(text, sizeof(text));

        lr__text_name(&writer, name);
        (void)lr__text_end(&writer);
        assert_string_equal(text, cases[i].text);
        (void)lr_certificate_attribute(name, "CN", 0, text, sizeof(text));
        assert_string_equal(text, cases[i].attribute);
    }
}

static void bytes_that_are_no_certificate_are_none(void **state)
{
    lr_slice der = pki_file("client.der");
    uint8_t changed[2048];
    lr_certificate out;

    (void)state;
    for (size_t len = 0; len < der.len; len++)
        assert_false(lr_certificate_parse(lr_slice_of(der.bytes, len), &out));
    assert_false(lr_certificate_parse(pki_file("rsa_pkcs1.der"), &out));
    assert_false(lr_certificate_parse(pki_file("root_crl.der"), &out));
    memcpy(changed, der.bytes, der.len);
    changed[der.len] = 0;
    assert_false(lr_certificate_parse(lr_slice_of(changed, der.len + 1), &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_it_is_and_who_made_it_is_told),
        cmocka_unit_test(numbers_dates_and_fingerprints_are_told),
        cmocka_unit_test(other_names_purposes_and_places_are_told),
        cmocka_unit_test(keys_are_told),
        cmocka_unit_test(a_text_is_cut_to_fit_and_its_length_is_told),
        cmocka_unit_test(what_could_be_taken_for_something_else_is_escaped),
        cmocka_unit_test(bytes_that_are_no_certificate_are_none),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
