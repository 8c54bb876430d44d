/* SPDX-License-Identifier: MIT */
/* core/tls/ocsp.c: OCSP requests, and the judgement of responses.
 *
 * wolfSSL 5.9.2 can judge a response too, but by the clock of the process, with one of its
 * certificates at most, and in a certificate manager, which may learn somebody from what it is
 * shown. Here wolfCrypt checks signatures and nothing more: the one who is trusted is the issuer
 * that the caller names, and he is so for one call.
 *
 * Whether a delegated responder's own certificate was revoked is not asked: most have
 * id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1), and short lives. */
#include <lockring/ocsp.h>

#include "core/base/check.h"
#include "core/base/status.h"
#include "core/tls/library.h"
#include "core/tls/ocsp_parse.h"
#include "core/tls/wolf.h"
#include "core/tls/x509.h"

#include <string.h>
#include <wolfssl/wolfcrypt/hash.h>

enum {
    DER_BITS = 0x03,
    DER_OID = 0x06,
    DER_SEQUENCE = 0x30,
    SERIAL_MAX = 62,      /* RFC 5280 4.1.2.2 has 20 */
    CERTIFICATES_MAX = 8, /* of a response that are looked at */
    REFRESH_MIN_S = 10,
    REFRESH_UNTOLD_S = 3600,
    EXPIRY_UNTOLD_S = 86400
};

static_assert(11 + 2 * 22 + 2 + SERIAL_MAX + 8 <= 127, "each length of a request is one byte");

/* A certificate and its issuer, read. */
typedef struct pair {
    lr__x509 leaf, issuer;
    lr_slice issuer_key; /* the bits of its key, without the header: what is hashed */
} pair;

/* The bytes of the BIT STRING of a SubjectPublicKeyInfo. */
static bool key_bits(lr_slice public_key_info, lr_slice *out)
{
    lr_slice info, algorithm;

    if (!lr__der_expect(&public_key_info, DER_SEQUENCE, &info, NULL) ||
        !lr__der_expect(&info, DER_SEQUENCE, &algorithm, NULL) ||
        !lr__der_expect(&info, DER_BITS, out, NULL) || out->len < 2)
        return false;
    *out = lr_slice_of(out->bytes + 1, out->len - 1);
    return true;
}

static lr_status read_pair(lr_slice certificate, lr_slice issuer, pair *out, lr_error *err)
{
    if (!lr__x509_parse(certificate, &out->leaf) || out->leaf.serial.len == 0 ||
        out->leaf.serial.len > SERIAL_MAX)
        return lr__fail(err, LR_ECERTIFICATE, "OCSP: the certificate is malformed");
    if (!lr__x509_parse(issuer, &out->issuer) ||
        !key_bits(out->issuer.public_key_info, &out->issuer_key))
        return lr__fail(err, LR_ECERTIFICATE, "OCSP: the issuer's certificate is malformed");
    if (!lr__same_bytes(out->leaf.issuer, out->issuer.subject))
        return lr__fail(err, LR_ECERTIFICATE,
                        "OCSP: the issuer does not bear the name of the certificate's issuer");
    return LR_OK;
}

static size_t put(uint8_t *out, size_t at, const void *bytes, size_t len)
{
    memcpy(out + at, bytes, len);
    return at + len;
}

/* Five SEQUENCEs, one inside the other and each with nothing but the next; the length of each is
 * one byte, since none is longer than 127 bytes. */
lr_status lr_ocsp_request(lr_slice certificate, lr_slice issuer, uint8_t out[LR_OCSP_REQUEST_MAX],
                          size_t *len, lr_error *err)
{
    static const uint8_t sha1[] = {DER_SEQUENCE, 9,    DER_OID, 5,    0x2b, 0x0e,
                                   0x03,         0x02, 0x1a,    0x05, 0x00};
    uint8_t hash[WC_SHA_DIGEST_SIZE];
    size_t id, at;
    pair p;

    LR_BUG_IF(!out || !len, LR_EINVAL);
    LR_TRY(lr__tls_init(err));
    LR_TRY(read_pair(certificate, issuer, &p, err));
    id = sizeof(sha1) + 2 * (2 + sizeof(hash)) + 2 + p.leaf.serial.len;
    for (at = 0; at < 5; at++) { /* OCSPRequest, TBSRequest, requestList, Request, CertID */
        out[2 * at] = DER_SEQUENCE;
        out[2 * at + 1] = (uint8_t)(id + 2 * (4 - at));
    }
    at = put(out, 2 * at, sha1, sizeof(sha1));
    out[at] = 0x04;
    out[at + 1] = sizeof(hash);
    if (wc_ShaHash(p.issuer.subject.bytes, (word32)p.issuer.subject.len, hash) != 0)
        return lr__fail(err, LR_ENOMEM, "OCSP: no SHA-1");
    at = put(out, at + 2, hash, sizeof(hash));
    out[at] = 0x04;
    out[at + 1] = sizeof(hash);
    if (wc_ShaHash(p.issuer_key.bytes, (word32)p.issuer_key.len, hash) != 0)
        return lr__fail(err, LR_ENOMEM, "OCSP: no SHA-1");
    at = put(out, at + 2, hash, sizeof(hash));
    out[at] = 0x02;
    out[at + 1] = (uint8_t)p.leaf.serial.len;
    *len = put(out, at + 2, p.leaf.serial.bytes, p.leaf.serial.len);
    LR_CHECK(*len == id + 10 && *len <= LR_OCSP_REQUEST_MAX);
    return LR_OK;
}

/* Is it about this certificate? The responder chooses the algorithm of its hashes. */
static bool is_about(const lr__ocsp_single *single, const pair *p)
{
    static const struct {
        const char *id;
        size_t len;
        enum wc_HashType type;
    } hashes[] = {
        {"\x2b\x0e\x03\x02\x1a", 5, WC_HASH_TYPE_SHA},
        {"\x60\x86\x48\x01\x65\x03\x04\x02\x01", 9, WC_HASH_TYPE_SHA256},
        {"\x60\x86\x48\x01\x65\x03\x04\x02\x02", 9, WC_HASH_TYPE_SHA384},
        {"\x60\x86\x48\x01\x65\x03\x04\x02\x03", 9, WC_HASH_TYPE_SHA512},
    };
    uint8_t name[WC_MAX_DIGEST_SIZE], key[WC_MAX_DIGEST_SIZE];

    if (!lr__same_bytes(single->serial, p->leaf.serial))
        return false;
    for (size_t i = 0; i < LR_ARRAY_COUNT(hashes); i++) {
        int size = wc_HashGetDigestSize(hashes[i].type);

        if (!lr__same_bytes(single->hash, lr_slice_of(hashes[i].id, hashes[i].len)))
            continue;
        return size > 0 &&
               wc_Hash(hashes[i].type, p->issuer.subject.bytes, (word32)p->issuer.subject.len, name,
                       (word32)size) == 0 &&
               wc_Hash(hashes[i].type, p->issuer_key.bytes, (word32)p->issuer_key.len, key,
                       (word32)size) == 0 &&
               lr__same_bytes(single->name_hash, lr_slice_of(name, (size_t)size)) &&
               lr__same_bytes(single->key_hash, lr_slice_of(key, (size_t)size));
    }
    return false;
}

/* Exactly one answer about the certificate; two could contradict each other. */
static const char *find_single(const lr__ocsp_response *response, const pair *p,
                               lr__ocsp_single *out)
{
    lr_slice in = response->singles;
    lr__ocsp_single single = {0};
    uint32_t count = 0;

    while (lr__ocsp_next_single(&in, &single)) {
        if (!is_about(&single, p))
            continue;
        *out = single;
        count++;
    }
    return count == 1  ? NULL
           : count > 1 ? "it answers twice about this certificate"
                       : "it is about another certificate";
}

/* Is he whom the response names as its responder? */
static bool is_responder(const lr__ocsp_response *response, const lr__x509 *who)
{
    uint8_t hash[WC_SHA_DIGEST_SIZE];
    lr_slice bits;

    if (response->by_name.len != 0)
        return lr__same_bytes(response->by_name, who->subject);
    return key_bits(who->public_key_info, &bits) &&
           wc_ShaHash(bits.bytes, (word32)bits.len, hash) == 0 &&
           lr__same_bytes(response->by_key, lr_slice_of(hash, sizeof(hash)));
}

/* id-kp-OCSPSigning by its name: "any purpose" does not make a responder (RFC 6960 4.2.2.2). */
static bool is_for_ocsp(const lr__x509_rules *rules)
{
    static const char signing[] = "\x2b\x06\x01\x05\x05\x07\x03\x09";
    lr_slice in = rules->ext_usage, id;

    while (in.len > 0 && lr__der_expect(&in, DER_OID, &id, NULL)) {
        if (lr__same_bytes(id, lr_slice_of(signing, sizeof(signing) - 1)))
            return true;
    }
    return false;
}

/* What is critical must be understood: basicConstraints, keyUsage and extKeyUsage are. */
static bool has_strange_extension(const lr__x509 *x509)
{
    lr_slice in = x509->extensions, id, value;
    bool critical;

    while (lr__x509_next_extension(&in, &id, &critical, &value)) {
        if (critical && !(id.len == 3 && memcmp(id.bytes, "\x55\x1d", 2) == 0 &&
                          (id.bytes[2] == 0x13 || id.bytes[2] == 0x0f || id.bytes[2] == 0x25)))
            return true;
    }
    return false;
}

/* Did the issuer make this certificate, for answering in his place? Null: yes. */
static const char *check_delegate(lr_slice der, const lr__x509 *x509, const pair *p, int64_t now)
{
    lr__x509_rules rules;
    lr__signed certificate;
    lr_slice inner, outer, id;
    const char *what;

    if (!lr__x509_rules_read(x509, &rules) || !lr__signed_parse(der, &certificate))
        return "its responder's certificate is malformed";
    if (!lr__same_bytes(x509->issuer, p->issuer.subject))
        return "its responder was not made one by the certificate's issuer";
    if (!is_for_ocsp(&rules) || (rules.has_usage && !(rules.usage & LR__USAGE_DIGITAL_SIGNATURE)))
        return "its responder's certificate is not for OCSP signing";
    if (has_strange_extension(x509))
        return "its responder's certificate has a critical extension, which is not known here";
    if (x509->not_before > now || x509->not_after < now)
        return "its responder's certificate is not valid now";
    inner = x509->signed_by;
    outer = certificate.algorithm;
    if (!lr__der_expect(&outer, DER_OID, &id, NULL) || !lr__same_bytes(inner, id))
        return "its responder's certificate is malformed";
    what = lr__signed_check(&certificate, p->issuer.public_key_info);
    return what ? "its responder's certificate is not signed by the certificate's issuer" : NULL;
}

/* The signature of the response, by the issuer or by one of the certificates that came with it. */
static const char *check_signature(const lr__ocsp_response *response, const pair *p, int64_t now)
{
    const char *first = NULL;
    lr_slice in = response->certificates;

    if (is_responder(response, &p->issuer)) {
        first = lr__signed_check(&response->basic, p->issuer.public_key_info);
        if (!first)
            return NULL;
    }
    for (uint32_t i = 0; in.len > 0 && i < CERTIFICATES_MAX; i++) {
        lr_slice content, der;
        const char *what;
        lr__x509 x509;

        if (!lr__der_expect(&in, DER_SEQUENCE, &content, &der))
            return "it is malformed";
        if (!lr__x509_parse(der, &x509) || !is_responder(response, &x509))
            continue;
        what = check_delegate(der, &x509, p, now);
        if (!what)
            what = lr__signed_check(&response->basic, x509.public_key_info);
        if (!what)
            return NULL;
        first = first ? first : what;
    }
    return first ? first : "the one who signed it is neither the issuer nor told in it";
}

static const char *check_times(const lr__ocsp_single *single, int64_t now)
{
    if (single->this_update > now + LR_OCSP_SKEW_S)
        return "it counts only from later on (thisUpdate)";
    if (single->next_update != 0 && single->next_update < single->this_update)
        return "its nextUpdate is before its thisUpdate";
    if (single->next_update != 0 && single->next_update < now)
        return "it has expired (nextUpdate)";
    return NULL;
}

static const char *judge(lr_slice response, const pair *p, int64_t now, lr_ocsp_verdict *out)
{
    lr__ocsp_response parsed;
    lr__ocsp_single single = {0};
    const char *what = lr__ocsp_parse(response, &parsed);

    if (!what)
        what = find_single(&parsed, p, &single);
    if (!what)
        what = check_signature(&parsed, p, now);
    if (what)
        return what;
    *out = (lr_ocsp_verdict){.state = single.state,
                             .produced_at = parsed.produced_at,
                             .this_update = single.this_update,
                             .next_update = single.next_update,
                             .revoked_at = single.revoked_at};
    if (single.state == LR_OCSP_REVOKED)
        return "it says that the certificate is revoked";
    if (single.state == LR_OCSP_UNKNOWN)
        return "it says that the certificate is unknown";
    return check_times(&single, now);
}

lr_status lr_ocsp_check(lr_slice response, lr_slice certificate, lr_slice issuer, int64_t now,
                        lr_ocsp_verdict *out, lr_error *err)
{
    lr_ocsp_verdict verdict = {LR_OCSP_NONE, 0, 0, 0, 0};
    const char *what;
    pair p;

    if (out)
        *out = verdict;
    LR_TRY(lr__tls_init(err));
    LR_TRY(read_pair(certificate, issuer, &p, err));
    what = judge(response, &p, now, &verdict);
    if (out)
        *out = verdict;
    return what ? lr__fail(err, LR_EOCSP, "OCSP response: %s", what) : LR_OK;
}

int64_t lr_ocsp_refresh_at(const lr_ocsp_verdict *verdict, int64_t now)
{
    int64_t at;

    LR_BUG_IF(!verdict, now + REFRESH_MIN_S);
    if (verdict->next_update == 0)
        return now + REFRESH_UNTOLD_S;
    at = verdict->this_update + (verdict->next_update - verdict->this_update) / 2;
    if (at <= now)
        at = now + (verdict->next_update - now) / 2;
    return at < now + REFRESH_MIN_S ? now + REFRESH_MIN_S : at;
}

int64_t lr_ocsp_expires_at(const lr_ocsp_verdict *verdict)
{
    LR_BUG_IF(!verdict, 0);
    return verdict->next_update != 0 ? verdict->next_update
                                     : verdict->this_update + EXPIRY_UNTOLD_S;
}
