/* SPDX-License-Identifier: MIT */
#include "core/tls/x509.h"

#include "core/base/check.h"

#include <string.h>

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BITS = 0x03,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_CONTEXT_0 = 0x80,
    DER_VERSION = 0xa0,
    DER_EXTENSIONS = 0xa3
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

bool lr__der_expect(lr_slice *in, uint8_t tag, lr_slice *content, lr_slice *whole)
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

    if (!lr__der_expect(&public_key_info, DER_SEQUENCE, &info, NULL) ||
        !lr__der_expect(&info, DER_SEQUENCE, &algorithm, NULL) ||
        !lr__der_expect(&algorithm, DER_OID, &oid, NULL))
        return LR__KEY_OTHER;
    if (!lr__der_expect(&algorithm, DER_OID, &curve, NULL))
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
bool lr__der_time(lr_slice *in, int64_t *out)
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

bool lr__same_bytes(lr_slice a, lr_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

static bool take_version(lr_slice *body, uint8_t *version)
{
    lr_slice outer, number;

    *version = 1;
    if (body->len == 0 || body->bytes[0] != DER_VERSION)
        return true;
    if (!lr__der_expect(body, DER_VERSION, &outer, NULL) ||
        !lr__der_expect(&outer, DER_INTEGER, &number, NULL) || number.len != 1 ||
        number.bytes[0] > 2 || outer.len != 0)
        return false;
    *version = (uint8_t)(number.bytes[0] + 1);
    return true;
}

/* What follows the public key: two unique identifiers, which nobody uses, and the extensions. */
static bool take_extensions(lr_slice *body, lr_slice *extensions)
{
    lr_slice outer;
    uint8_t tag;

    while (body->len > 0) {
        if (!lr__der_take(body, &tag, &outer, NULL))
            return false;
        if (tag != DER_EXTENSIONS)
            continue;
        return lr__der_expect(&outer, DER_SEQUENCE, extensions, NULL) && outer.len == 0 &&
               body->len == 0;
    }
    return true;
}

bool lr__x509_parse(lr_slice der, lr__x509 *out)
{
    lr_slice in = der, certificate, body, skipped, validity, algorithm;

    LR_DCHECK(out != NULL);
    memset(out, 0, sizeof(*out));
    if (!lr__der_expect(&in, DER_SEQUENCE, &certificate, NULL) || in.len != 0)
        return false;
    if (!lr__der_expect(&certificate, DER_SEQUENCE, &body, NULL))
        return false;
    if (!take_version(&body, &out->version))
        return false;
    if (!lr__der_expect(&body, DER_INTEGER, &out->serial, NULL) ||
        !lr__der_expect(&body, DER_SEQUENCE, &algorithm, NULL) ||
        !lr__der_expect(&algorithm, DER_OID, &out->signed_by, NULL) ||
        !lr__der_expect(&body, DER_SEQUENCE, &skipped, &out->issuer) ||
        !lr__der_expect(&body, DER_SEQUENCE, &validity, NULL) ||
        !lr__der_expect(&body, DER_SEQUENCE, &skipped, &out->subject) ||
        !lr__der_expect(&body, DER_SEQUENCE, &skipped, &out->public_key_info))
        return false;
    out->key_kind = key_kind_of(out->public_key_info);
    return lr__der_time(&validity, &out->not_before) && lr__der_time(&validity, &out->not_after) &&
           take_extensions(&body, &out->extensions);
}

/* Extensions. */

bool lr__x509_next_extension(lr_slice *in, lr_slice *id, bool *critical, lr_slice *value)
{
    lr_slice at = *in, extension, flag;

    if (at.len == 0 || !lr__der_expect(&at, DER_SEQUENCE, &extension, NULL) ||
        !lr__der_expect(&extension, DER_OID, id, NULL))
        return false;
    *critical = false;
    if (extension.len > 0 && extension.bytes[0] == DER_BOOLEAN) {
        if (!lr__der_expect(&extension, DER_BOOLEAN, &flag, NULL) || flag.len != 1)
            return false;
        *critical = flag.bytes[0] != 0;
    }
    if (!lr__der_expect(&extension, DER_OCTETS, value, NULL) || extension.len != 0)
        return false;
    *in = at;
    return true;
}

static bool read_basic(lr_slice value, lr__x509_rules *out)
{
    lr_slice body, flag, number;

    if (!lr__der_expect(&value, DER_SEQUENCE, &body, NULL))
        return false;
    if (body.len > 0 && body.bytes[0] == DER_BOOLEAN) {
        if (!lr__der_expect(&body, DER_BOOLEAN, &flag, NULL) || flag.len != 1)
            return false;
        out->is_ca = flag.bytes[0] != 0;
    }
    if (body.len == 0)
        return true;
    if (!lr__der_expect(&body, DER_INTEGER, &number, NULL) || number.len == 0 ||
        (number.bytes[0] & 0x80) != 0 || body.len != 0)
        return false;
    out->path_len = number.len == 1 ? number.bytes[0] : INT16_MAX;
    return true;
}

static bool read_usage(lr_slice value, lr__x509_rules *out)
{
    lr_slice bits;

    if (!lr__der_expect(&value, DER_BITS, &bits, NULL) || bits.len == 0 || bits.bytes[0] > 7)
        return false;
    out->has_usage = true;
    for (unsigned i = 0; bits.len > 1 && i < 8; i++)
        out->usage |= bits.bytes[1] & (0x80u >> i) ? 1u << i : 0;
    return true;
}

/* RFC 5280 4.2.1.12 */
static bool read_ext_usage(lr_slice value, lr__x509_rules *out)
{
    static const char of_pkix[] = "\x2b\x06\x01\x05\x05\x07\x03"; /* id-kp */
    static const char any[] = "\x55\x1d\x25\x00";
    lr_slice in, id;

    if (!lr__der_expect(&value, DER_SEQUENCE, &out->ext_usage, NULL) || out->ext_usage.len == 0)
        return false;
    out->has_ext_usage = true;
    for (in = out->ext_usage; in.len > 0;) {
        if (!lr__der_expect(&in, DER_OID, &id, NULL))
            return false;
        if (same_oid(id, any, sizeof(any) - 1))
            out->for_clients = out->for_servers = true;
        if (id.len != sizeof(of_pkix) || memcmp(id.bytes, of_pkix, sizeof(of_pkix) - 1) != 0)
            continue;
        out->for_servers |= id.bytes[id.len - 1] == 1;
        out->for_clients |= id.bytes[id.len - 1] == 2;
    }
    return true;
}

static bool read_key_id(lr_slice value, lr__x509_rules *out)
{
    return lr__der_expect(&value, DER_OCTETS, &out->key_id, NULL);
}

static bool read_issuer_key_id(lr_slice value, lr__x509_rules *out)
{
    lr_slice body;

    if (!lr__der_expect(&value, DER_SEQUENCE, &body, NULL))
        return false;
    return body.len == 0 || body.bytes[0] != DER_CONTEXT_0 ||
           lr__der_expect(&body, DER_CONTEXT_0, &out->issuer_key_id, NULL);
}

static bool read_alt_names(lr_slice value, lr__x509_rules *out)
{
    return lr__der_expect(&value, DER_SEQUENCE, &out->alt_names, NULL);
}

static bool read_name_constraints(lr_slice value, lr__x509_rules *out)
{
    out->has_name_constraints = true;
    return value.len > 0;
}

static bool read_info_access(lr_slice value, lr__x509_rules *out)
{
    return lr__der_expect(&value, DER_SEQUENCE, &out->info_access, NULL);
}

static const struct {
    const char *id;
    size_t len;
    bool (*read)(lr_slice value, lr__x509_rules *out);
} readers[] = {
    {"\x55\x1d\x13", 3, read_basic},
    {"\x55\x1d\x0f", 3, read_usage},
    {"\x55\x1d\x25", 3, read_ext_usage},
    {"\x55\x1d\x0e", 3, read_key_id},
    {"\x55\x1d\x23", 3, read_issuer_key_id},
    {"\x55\x1d\x11", 3, read_alt_names},
    {"\x55\x1d\x1e", 3, read_name_constraints},
    {"\x2b\x06\x01\x05\x05\x07\x01\x01", 8, read_info_access},
};

bool lr__x509_rules_read(const lr__x509 *x509, lr__x509_rules *out)
{
    lr_slice in = x509->extensions, id, value;
    unsigned seen = 0;
    bool critical;

    memset(out, 0, sizeof(*out));
    out->path_len = -1;
    while (lr__x509_next_extension(&in, &id, &critical, &value)) {
        for (size_t i = 0; i < LR_ARRAY_COUNT(readers); i++) {
            if (!same_oid(id, readers[i].id, readers[i].len))
                continue;
            if ((seen & 1u << i) != 0 || !readers[i].read(value, out))
                return false;
            seen |= 1u << i;
        }
    }
    return in.len == 0;
}
