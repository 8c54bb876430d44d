/* SPDX-License-Identifier: MIT */
#include "core/tls/x509.h"

#include "core/base/check.h"

#include <string.h>

enum {
    DER_INTEGER = 0x02,
    DER_OID = 0x06,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_VERSION = 0xa0
};

bool lr__der_take(lr_slice *in, uint8_t *tag, lr_slice *content, lr_slice *whole)
{
    size_t at = 2, len;

    if (in->len < 2 || (in->bytes[0] & 0x1f) == 0x1f)
        return false;
    len = in->bytes[1];
    if (len & 0x80) {
        size_t octets = len & 0x7f;

        if (octets == 0 || octets > 3 || in->len < 2 + octets)
            return false;
        for (len = 0; octets > 0; octets--)
            len = len << 8 | in->bytes[at++];
    }
    if (len > in->len - at)
        return false;
    *tag = in->bytes[0];
    *content = lr_slice_of(in->bytes + at, len);
    if (whole)
        *whole = lr_slice_of(in->bytes, at + len);
    in->bytes += at + len;
    in->len -= at + len;
    return true;
}

static bool der_expect(lr_slice *in, uint8_t tag, lr_slice *content, lr_slice *whole)
{
    uint8_t found;

    return lr__der_take(in, &found, content, whole) && found == tag;
}

/* Contents of object identifiers: RFC 8017 A.1, RFC 5480 2.1.1, RFC 8410 3. */
static const struct {
    lr__key_kind kind;
    const char *name, *algorithm, *curve;
    size_t algorithm_len, curve_len;
} kinds[] = {
    {LR__KEY_RSA, "RSA", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", NULL, 9, 0},
    {LR__KEY_P256, "ECDSA P-256", "\x2a\x86\x48\xce\x3d\x02\x01",
     "\x2a\x86\x48\xce\x3d\x03\x01\x07", 7, 8},
    {LR__KEY_P384, "ECDSA P-384", "\x2a\x86\x48\xce\x3d\x02\x01", "\x2b\x81\x04\x00\x22", 7, 5},
    {LR__KEY_P521, "ECDSA P-521", "\x2a\x86\x48\xce\x3d\x02\x01", "\x2b\x81\x04\x00\x23", 7, 5},
    {LR__KEY_ED25519, "Ed25519", "\x2b\x65\x70", NULL, 3, 0},
};

static bool same_oid(lr_slice oid, const char *bytes, size_t len)
{
    return oid.len == len && memcmp(oid.bytes, bytes, len) == 0;
}

/* The algorithm, and for elliptic curves the named curve, of a SubjectPublicKeyInfo. */
static lr__key_kind key_kind_of(lr_slice public_key_info)
{
    lr_slice info, algorithm, oid, curve;

    if (!der_expect(&public_key_info, DER_SEQUENCE, &info, NULL) ||
        !der_expect(&info, DER_SEQUENCE, &algorithm, NULL) ||
        !der_expect(&algorithm, DER_OID, &oid, NULL))
        return LR__KEY_OTHER;
    if (!der_expect(&algorithm, DER_OID, &curve, NULL))
        curve = lr_slice_of(NULL, 0);
    for (size_t i = 0; i < LR_ARRAY_COUNT(kinds); i++) {
        if (same_oid(oid, kinds[i].algorithm, kinds[i].algorithm_len) &&
            (!kinds[i].curve || same_oid(curve, kinds[i].curve, kinds[i].curve_len)))
            return kinds[i].kind;
    }
    return LR__KEY_OTHER;
}

const char *lr__key_kind_name(lr__key_kind kind)
{
    for (size_t i = 0; i < LR_ARRAY_COUNT(kinds); i++) {
        if (kinds[i].kind == kind)
            return kinds[i].name;
    }
    return "another algorithm";
}

static bool two_digits(const uint8_t *at, int *out)
{
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return false;
    *out = (at[0] - '0') * 10 + (at[1] - '0');
    return true;
}

/* Days since 1970 of a date of the Gregorian calendar (years from 1 March, 400-year eras). */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* RFC 5280 4.1.2.5: UTCTime YYMMDDHHMMSSZ until 2049, GeneralizedTime YYYYMMDDHHMMSSZ after. */
static bool time_take(lr_slice *in, int64_t *out)
{
    uint8_t tag;
    lr_slice text;
    int field[7] = {0}; /* century, year, month, day, hour, minute, second */
    int first;

    if (!lr__der_take(in, &tag, &text, NULL))
        return false;
    if (tag == DER_UTC_TIME)
        first = 1;
    else if (tag == DER_GENERALIZED_TIME)
        first = 0;
    else
        return false;
    if (text.len != (size_t)(7 - first) * 2 + 1 || text.bytes[text.len - 1] != 'Z')
        return false;
    for (int i = first; i < 7; i++) {
        if (!two_digits(text.bytes + (size_t)(i - first) * 2, &field[i]))
            return false;
    }
    if (first == 1)
        field[0] = field[1] >= 50 ? 19 : 20;
    if (field[2] < 1 || field[2] > 12 || field[3] < 1 || field[3] > 31 || field[4] > 23 ||
        field[5] > 59 || field[6] > 60)
        return false;
    *out = days_of((int64_t)field[0] * 100 + field[1], field[2], field[3]) * 86400 +
           field[4] * 3600 + field[5] * 60 + field[6];
    return true;
}

bool lr__x509_parse(lr_slice der, lr__x509 *out)
{
    lr_slice in = der, certificate, body, skipped, validity;

    LR_DCHECK(out != NULL);
    memset(out, 0, sizeof(*out));
    if (!der_expect(&in, DER_SEQUENCE, &certificate, NULL) || in.len != 0)
        return false;
    if (!der_expect(&certificate, DER_SEQUENCE, &body, NULL))
        return false;
    if (body.len > 0 && body.bytes[0] == DER_VERSION &&
        !der_expect(&body, DER_VERSION, &skipped, NULL))
        return false;
    if (!der_expect(&body, DER_INTEGER, &out->serial, NULL) ||
        !der_expect(&body, DER_SEQUENCE, &skipped, NULL) ||
        !der_expect(&body, DER_SEQUENCE, &skipped, &out->issuer) ||
        !der_expect(&body, DER_SEQUENCE, &validity, NULL) ||
        !der_expect(&body, DER_SEQUENCE, &skipped, &out->subject) ||
        !der_expect(&body, DER_SEQUENCE, &skipped, &out->public_key_info))
        return false;
    out->key_kind = key_kind_of(out->public_key_info);
    return time_take(&validity, &out->not_before) && time_take(&validity, &out->not_after);
}
