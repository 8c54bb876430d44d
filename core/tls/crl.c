/* SPDX-License-Identifier: MIT */
#include "core/tls/crl.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/tls/x509.h"

#include <stdlib.h>
#include <string.h>

enum {
    DER_INTEGER = 0x02,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_CONTEXT_0 = 0xa0
};

static int compare(const void *a, const void *b)
{
    const lr_slice *left = a, *right = b;

    if (left->len != right->len)
        return left->len < right->len ? -1 : 1;
    return left->len == 0 ? 0 : memcmp(left->bytes, right->bytes, left->len);
}

static bool is_time(lr_slice in)
{
    return in.len > 0 && (in.bytes[0] == DER_UTC_TIME || in.bytes[0] == DER_GENERALIZED_TIME);
}

/* revokedCertificates: first counted, then kept. False: malformed, or no memory (*what null). */
static bool read_revoked(lr_slice list, lr__crl *out, const char **what)
{
    lr_slice in = list, entry, serial;
    uint32_t count = 0;

    for (; in.len > 0; count++) {
        if (!lr__der_expect(&in, DER_SEQUENCE, &entry, NULL) ||
            !lr__der_expect(&entry, DER_INTEGER, &serial, NULL) || !is_time(entry))
            return false;
    }
    if (count == 0)
        return true;
    out->serials = lr__alloc_zero(count, sizeof(*out->serials));
    if (!out->serials) {
        *what = NULL;
        return false;
    }
    for (in = list; in.len > 0; out->serial_count++) {
        LR_CHECK(lr__der_expect(&in, DER_SEQUENCE, &entry, NULL));
        LR_CHECK(lr__der_expect(&entry, DER_INTEGER, &out->serials[out->serial_count], NULL));
    }
    qsort(out->serials, out->serial_count, sizeof(*out->serials), compare);
    return true;
}

/* A critical extension that is not understood makes a list useless (RFC 5280 5.2): deltas, lists of
 * other issuers' certificates, and lists of a part of them are all told so. */
static bool check_extensions(lr_slice outer, const char **what)
{
    lr_slice in, id, value;
    bool critical;

    if (!lr__der_expect(&outer, DER_SEQUENCE, &in, NULL) || outer.len != 0)
        return false;
    while (lr__x509_next_extension(&in, &id, &critical, &value)) {
        if (!critical)
            continue;
        *what = "it has a critical extension (a delta, or of a part of the certificates), which is "
                "not known here";
        return false;
    }
    return in.len == 0;
}

bool lr__crl_parse(lr_slice der, lr__crl *out, const char **what)
{
    lr_slice in = der, list, body, skipped, content;

    memset(out, 0, sizeof(*out));
    *what = "it is no certificate revocation list";
    out->der = der;
    out->next_update = INT64_MAX;
    if (!lr__der_expect(&in, DER_SEQUENCE, &list, NULL) || in.len != 0 ||
        !lr__der_expect(&list, DER_SEQUENCE, &body, NULL))
        return false;
    if (body.len > 0 && body.bytes[0] == DER_INTEGER &&
        !lr__der_expect(&body, DER_INTEGER, &skipped, NULL))
        return false;
    if (!lr__der_expect(&body, DER_SEQUENCE, &skipped, NULL) ||
        !lr__der_expect(&body, DER_SEQUENCE, &content, &out->issuer) ||
        !lr__der_time(&body, &out->this_update))
        return false;
    if (is_time(body) && !lr__der_time(&body, &out->next_update))
        return false;
    if (body.len > 0 && body.bytes[0] == DER_SEQUENCE &&
        (!lr__der_expect(&body, DER_SEQUENCE, &content, NULL) || !read_revoked(content, out, what)))
        return false;
    if (body.len == 0)
        return true;
    return lr__der_expect(&body, DER_CONTEXT_0, &content, NULL) && body.len == 0 &&
           check_extensions(content, what);
}

void lr__crl_fini(lr__crl *crl)
{
    lr__free(crl->serials);
    memset(crl, 0, sizeof(*crl));
}

bool lr__crl_has(const lr__crl *crl, lr_slice serial)
{
    return crl->serial_count != 0 && bsearch(&serial, crl->serials, crl->serial_count,
                                             sizeof(*crl->serials), compare) != NULL;
}
