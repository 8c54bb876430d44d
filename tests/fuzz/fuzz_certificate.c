/* SPDX-License-Identifier: MIT */
/* fuzz_certificate.c: DER that somebody sent, as certificate, as revocation list, and as a chain to
 * be judged; and texts in buffers of every size around theirs. */
#include "core/base/check.h"
#include "core/tls/cert_text.h"
#include "core/tls/crl.h"
#include "core/tls/verify.h"
#include "core/tls/wolf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef size_t (*writer)(const void *of, char *out, size_t cap);

static size_t write_subject(const void *of, char *out, size_t cap)
{
    return lr_certificate_subject(of, out, cap);
}

static size_t write_issuer(const void *of, char *out, size_t cap)
{
    return lr_certificate_issuer(of, out, cap);
}

static size_t write_serial(const void *of, char *out, size_t cap)
{
    return lr_certificate_serial(of, out, cap);
}

static size_t write_usage(const void *of, char *out, size_t cap)
{
    return lr_certificate_ext_usage(of, 0, out, cap);
}

static size_t write_name(const void *of, char *out, size_t cap)
{
    return lr_alt_name_text(of, out, cap);
}

static size_t write_common_name(const void *of, char *out, size_t cap)
{
    const lr_certificate *certificate = of;

    return lr_certificate_attribute(certificate->subject, "CN", 0, out, cap);
}

/* The whole text, and its front where it is cut; no byte beyond the end. */
static void check_text(writer fn, const void *of)
{
    size_t len = fn(of, NULL, 0), half = len / 2;
    char *whole = malloc(len + 1), *cut = malloc(half + 1);

    LR_CHECK(whole && cut);
    LR_CHECK(fn(of, whole, len + 1) == len && strlen(whole) == len);
    LR_CHECK(fn(of, cut, half + 1) == len && strlen(cut) == half);
    LR_CHECK(memcmp(whole, cut, half) == 0);
    free(whole);
    free(cut);
}

static void walk(const lr_certificate *certificate)
{
    lr_alt_name name;
    char text[200];

    check_text(write_subject, certificate);
    check_text(write_issuer, certificate);
    check_text(write_serial, certificate);
    check_text(write_usage, certificate);
    check_text(write_common_name, certificate);
    for (uint32_t i = 0; i < 20 && lr_certificate_alt_name(certificate, i, &name); i++)
        check_text(write_name, &name);
    LR_CHECK(lr_certificate_fingerprint(certificate, LR_DIGEST_SHA512, text, sizeof(text)) == 191);
    (void)lr_certificate_time_text(certificate->valid_to, text, sizeof(text));
    (void)lr_certificate_ocsp_uri(certificate);
}

/* Nobody is trusted: whatever it is, it does not hold. */
static void judge(lr_slice der)
{
    static const lr__trust nobody;
    const lr__verify_rules rules = {.depth = 9, .rsa_bits_min = 2048, .now = 1782864000};
    const lr_slice chain[] = {der, der, der};
    int64_t until;

    LR_CHECK(lr__verify_client(&nobody, &rules, NULL, chain, 3, &until) != LR__VERIFY_OK);
    LR_CHECK(until == INT64_MIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lr_slice der = lr_slice_of(data, size);
    lr_certificate certificate;
    const char *what;
    lr_error err;
    lr__crl crl;

    if (lr__tls_init(&err) != LR_OK)
        abort();
    if (lr_certificate_parse(der, &certificate))
        walk(&certificate);
    if (lr__crl_parse(der, &crl, &what))
        LR_CHECK(!lr__crl_has(&crl, lr_slice_of("\x55", 1)) || crl.serial_count > 0);
    else
        LR_CHECK(what != NULL);
    lr__crl_fini(&crl);
    judge(der);
    return 0;
}
