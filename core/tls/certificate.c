/* SPDX-License-Identifier: MIT */
/* core/tls/certificate.c: the view of a certificate that programs get (lockring/certificate.h).
 *
 * A walk over DER that somebody else wrote: every element is taken by lr__der_take(), which checks
 * its length against what is left, and every text is written through one bounded writer. Fuzzed
 * (tests/fuzz/fuzz_certificate.c). */
#include <lockring/certificate.h>

#include "core/base/check.h"
#include "core/base/status.h"
#include "core/tls/cert_text.h"
#include "core/tls/library.h"
#include "core/tls/pem.h"
#include "core/tls/wolf.h"
#include "core/tls/x509.h"

#include <string.h>
#include <time.h>
#include <wolfssl/wolfcrypt/hash.h>

enum { DER_BITS = 0x03, DER_OID = 0x06, DER_SEQUENCE = 0x30, DER_URI = 0x86, NAMES_MAX = 1000 };

/* Bits of the modulus (RFC 8017 A.1.1), 0: malformed. */
static uint32_t rsa_bits(lr_slice public_key_info)
{
    lr_slice info, algorithm, bits, key, modulus;
    uint32_t count;

    if (!lr__der_expect(&public_key_info, DER_SEQUENCE, &info, NULL) ||
        !lr__der_expect(&info, DER_SEQUENCE, &algorithm, NULL) ||
        !lr__der_expect(&info, DER_BITS, &bits, NULL) || bits.len < 2)
        return 0;
    bits = lr_slice_of(bits.bytes + 1, bits.len - 1);
    if (!lr__der_expect(&bits, DER_SEQUENCE, &key, NULL) ||
        !lr__der_expect(&key, 0x02, &modulus, NULL))
        return 0;
    while (modulus.len > 0 && modulus.bytes[0] == 0)
        modulus = lr_slice_of(modulus.bytes + 1, modulus.len - 1);
    if (modulus.len == 0)
        return 0;
    count = (uint32_t)modulus.len * 8;
    for (uint8_t top = modulus.bytes[0]; (top & 0x80) == 0; top = (uint8_t)(top << 1))
        count--;
    return count;
}

static void describe_key(const lr__x509 *x509, lr_certificate *out)
{
    static const struct {
        const char *type, *curve;
        uint32_t bits;
    } kinds[] = {
        [LR__KEY_OTHER] = {"", "", 0},         [LR__KEY_RSA] = {"RSA", "", 0},
        [LR__KEY_P256] = {"EC", "P-256", 256}, [LR__KEY_P384] = {"EC", "P-384", 384},
        [LR__KEY_P521] = {"EC", "P-521", 521}, [LR__KEY_ED25519] = {"Ed25519", "", 256},
    };

    LR_DCHECK((size_t)x509->key_kind < LR_ARRAY_COUNT(kinds));
    out->key_type = kinds[x509->key_kind].type;
    out->key_curve = kinds[x509->key_kind].curve;
    out->key_bits = kinds[x509->key_kind].bits;
    if (x509->key_kind == LR__KEY_RSA)
        out->key_bits = rsa_bits(x509->public_key_info);
}

bool lr_certificate_parse(lr_slice der, lr_certificate *out)
{
    lr__x509_rules rules;
    lr__x509 x509;

    LR_BUG_IF(!out, false);
    memset(out, 0, sizeof(*out));
    out->key_type = out->key_curve = "";
    if (!lr__x509_parse(der, &x509) || !lr__x509_rules_read(&x509, &rules))
        return false;
    out->der = der;
    out->subject = x509.subject;
    out->issuer = x509.issuer;
    out->serial = x509.serial;
    out->valid_from = x509.not_before;
    out->valid_to = x509.not_after;
    out->version = x509.version;
    out->public_key = x509.public_key_info;
    out->is_authority = rules.is_ca;
    out->alt_names = rules.alt_names;
    out->ext_usage = rules.ext_usage;
    out->info_access = rules.info_access;
    describe_key(&x509, out);
    return true;
}

lr_status lr_certificate_load(lr_slice file, const char *name, uint32_t index, lr_bytes **out,
                              lr_error *err)
{
    static const lr__pem_kind kind = {"certificate", {"CERTIFICATE"}, LR_ECERTIFICATE};
    lr__input source = {.name = name, .bytes = file};
    lr__der_list list = {0};
    lr_status status;

    LR_BUG_IF(!name || !out || (!file.bytes && file.len != 0), LR_EINVAL);
    *out = NULL;
    LR_TRY(lr__tls_init(err));
    status = lr__der_list_add(&list, &source, &kind, err);
    if (status == LR_OK && index < list.count) {
        *out = lr_bytes_new(lr_slice_of(list.items[index].bytes, list.items[index].size));
        if (!*out)
            status = lr__fail(err, LR_ENOMEM, "%s: out of memory", name);
    }
    lr__der_list_fini(&list);
    return status;
}

size_t lr_certificate_subject(const lr_certificate *certificate, char *out, size_t cap)
{
    lr__text text = lr__text_begin(out, cap);

    LR_BUG_IF(!certificate, 0);
    lr__text_name(&text, certificate->subject);
    return lr__text_end(&text);
}

size_t lr_certificate_issuer(const lr_certificate *certificate, char *out, size_t cap)
{
    lr__text text = lr__text_begin(out, cap);

    LR_BUG_IF(!certificate, 0);
    lr__text_name(&text, certificate->issuer);
    return lr__text_end(&text);
}

size_t lr_certificate_attribute(lr_slice name, const char *attribute, uint32_t index, char *out,
                                size_t cap)
{
    lr__text text = lr__text_begin(out, cap);

    LR_BUG_IF(!attribute, 0);
    if (!lr__text_attribute(&text, name, attribute, index))
        text = lr__text_begin(out, cap);
    return lr__text_end(&text);
}

size_t lr_certificate_serial(const lr_certificate *certificate, char *out, size_t cap)
{
    lr__text text = lr__text_begin(out, cap);
    lr_slice serial;

    LR_BUG_IF(!certificate, 0);
    serial = certificate->serial;
    while (serial.len > 1 && serial.bytes[0] == 0) /* the sign */
        serial = lr_slice_of(serial.bytes + 1, serial.len - 1);
    lr__text_hex(&text, serial, '\0');
    return lr__text_end(&text);
}

size_t lr_certificate_fingerprint(const lr_certificate *certificate, lr_digest digest, char *out,
                                  size_t cap)
{
    lr__text text = lr__text_begin(out, cap);
    uint8_t bytes[WC_SHA512_DIGEST_SIZE];
    size_t len = 0;
    int ret = -1;

    LR_BUG_IF(!certificate, 0);
    switch (digest) {
    case LR_DIGEST_SHA1:
        len = WC_SHA_DIGEST_SIZE;
        ret = wc_ShaHash(certificate->der.bytes, (word32)certificate->der.len, bytes);
        break;
    case LR_DIGEST_SHA256:
        len = WC_SHA256_DIGEST_SIZE;
        ret = wc_Sha256Hash(certificate->der.bytes, (word32)certificate->der.len, bytes);
        break;
    case LR_DIGEST_SHA512:
        len = WC_SHA512_DIGEST_SIZE;
        ret = wc_Sha512Hash(certificate->der.bytes, (word32)certificate->der.len, bytes);
        break;
    }
    if (ret == 0)
        lr__text_hex(&text, lr_slice_of(bytes, len), ':');
    return lr__text_end(&text);
}

size_t lr_certificate_time_text(int64_t seconds, char *out, size_t cap)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    lr__text text = lr__text_begin(out, cap);
    time_t at = (time_t)seconds;
    struct tm tm;

    if (gmtime_r(&at, &tm))
        lr__text_format(&text, "%s %2d %02d:%02d:%02d %d GMT", months[tm.tm_mon], tm.tm_mday,
                        tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_year + 1900);
    return lr__text_end(&text);
}

bool lr_certificate_alt_name(const lr_certificate *certificate, uint32_t index, lr_alt_name *out)
{
    lr_slice in;
    uint8_t tag = 0;

    LR_BUG_IF(!certificate || !out, false);
    in = certificate->alt_names;
    if (index >= NAMES_MAX)
        return false;
    for (uint32_t i = 0; i <= index; i++) {
        if (!lr__der_take(&in, &tag, &out->value, NULL))
            return false;
    }
    out->kind = (lr_alt_name_kind)(tag & 0x1f);
    return true;
}

size_t lr_alt_name_text(const lr_alt_name *name, char *out, size_t cap)
{
    lr__text text = lr__text_begin(out, cap);

    LR_BUG_IF(!name, 0);
    lr__text_alt_name(&text, name);
    return lr__text_end(&text);
}

size_t lr_certificate_ext_usage(const lr_certificate *certificate, uint32_t index, char *out,
                                size_t cap)
{
    lr__text text = lr__text_begin(out, cap);
    lr_slice in, id;

    LR_BUG_IF(!certificate, 0);
    in = certificate->ext_usage;
    for (uint32_t i = 0; i < NAMES_MAX && lr__der_expect(&in, DER_OID, &id, NULL); i++) {
        if (i != index)
            continue;
        lr__text_oid(&text, id);
        break;
    }
    return lr__text_end(&text);
}

lr_slice lr_certificate_ocsp_uri(const lr_certificate *certificate)
{
    static const char ocsp[] = "\x2b\x06\x01\x05\x05\x07\x30\x01"; /* id-ad-ocsp */
    lr_slice in, one, id, uri;

    LR_BUG_IF(!certificate, lr_slice_of(NULL, 0));
    for (in = certificate->info_access; lr__der_expect(&in, DER_SEQUENCE, &one, NULL);) {
        if (lr__der_expect(&one, DER_OID, &id, NULL) && id.len == sizeof(ocsp) - 1 &&
            memcmp(id.bytes, ocsp, id.len) == 0 && lr__der_expect(&one, DER_URI, &uri, NULL))
            return uri;
    }
    return lr_slice_of(NULL, 0);
}
