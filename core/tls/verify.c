/* SPDX-License-Identifier: MIT */
/* core/tls/verify.c: path building, and the judgement of a path.
 *
 * A path begins at the leaf; each next certificate bears the name of the issuer of the one before;
 * the last one is trusted. Where several would do, each is tried, within a bound: a peer's chain
 * must not buy an unlimited number of signature checks. If no path leads to somebody trusted, the
 * code says how far it led; if some do and none holds, that of the first one counts. */
#include "core/tls/verify.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/tls/wolf.h"

#include <string.h>
#include <wolfssl/wolfcrypt/hash.h>

enum { PATH_MAX_CERTS = LR__PEER_CHAIN_MAX + 1, JUDGEMENTS_MAX = 8, STEPS_MAX = 200 };

/* One certificate, of the peer or trusted. */
typedef struct cert_link {
    lr_slice der;
    lr__x509 x509;
    lr__x509_rules rules;
    bool self_issued, used;
} cert_link;

typedef struct judge {
    const lr__trust *trust;
    const lr__verify_rules *rules;
    lr__crl_proof *proofs;
    cert_link sent[LR__PEER_CHAIN_MAX];
    uint32_t count;
    const cert_link *path[PATH_MAX_CERTS];
    uint32_t judgements;
    uint32_t steps;
    bool too_long;         /* a path was left at the greatest depth */
    lr__verify_code first; /* of the first path to somebody trusted; OK: there was none */
    int64_t until;         /* of the path that is judged: what it rests on holds so long */
} judge;

const char *lr__verify_name(lr__verify_code code)
{
#define LR__VERIFY_NAME(name, alert)                                                               \
    case LR__VERIFY_##name:                                                                        \
        return #name;
    switch (code) {
    case LR__VERIFY_OK:
        return "";
        LR__VERIFY_CODES(LR__VERIFY_NAME)
    case LR__VERIFY_CODE_COUNT:
        break;
    }
#undef LR__VERIFY_NAME
    LR_UNREACHABLE();
}

int lr__verify_alert(lr__verify_code code, lr_tls_version version)
{
#define LR__VERIFY_ALERT(name, alert) alert,
    static const uint8_t alerts[] = {0, LR__VERIFY_CODES(LR__VERIFY_ALERT)};
#undef LR__VERIFY_ALERT

    LR_DCHECK(code > LR__VERIFY_OK && code < LR__VERIFY_CODE_COUNT);
    if (alerts[code] == 116 && version == LR_TLS_1_2)
        return 40; /* handshake_failure; certificate_required is of TLS 1.3 (RFC 5246 7.4.6) */
    return alerts[code];
}

static bool read_link(lr_slice der, cert_link *out)
{
    memset(out, 0, sizeof(*out));
    out->der = der;
    if (!lr__x509_parse(der, &out->x509) || !lr__x509_rules_read(&out->x509, &out->rules))
        return false;
    out->self_issued = lr__same_bytes(out->x509.subject, out->x509.issuer);
    return true;
}

/* Bits of the modulus of an RSA key; 0: malformed. */
static uint32_t rsa_bits(lr_slice public_key_info)
{
    lr_slice info, algorithm, bits, key, modulus;

    if (!lr__der_expect(&public_key_info, 0x30, &info, NULL) ||
        !lr__der_expect(&info, 0x30, &algorithm, NULL) ||
        !lr__der_expect(&info, 0x03, &bits, NULL) || bits.len < 2)
        return 0;
    bits = lr_slice_of(bits.bytes + 1, bits.len - 1);
    if (!lr__der_expect(&bits, 0x30, &key, NULL) || !lr__der_expect(&key, 0x02, &modulus, NULL))
        return 0;
    while (modulus.len > 0 && modulus.bytes[0] == 0)
        modulus = lr_slice_of(modulus.bytes + 1, modulus.len - 1);
    return (uint32_t)modulus.len * 8; /* a key of 2048 bits has its first bit set */
}

/* What was signed over MD5 or SHA-1 anybody may have made. */
static bool is_weakly_signed(const cert_link *one)
{
    static const struct {
        const char *id;
        size_t len;
    } weak[] = {
        {"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", 9}, /* md5WithRSAEncryption */
        {"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", 9}, /* sha1WithRSAEncryption */
        {"\x2a\x86\x48\xce\x3d\x04\x01", 7},         /* ecdsa-with-SHA1 */
        {"\x2a\x86\x48\xce\x38\x04\x03", 7},         /* dsa-with-sha1 */
    };

    for (size_t i = 0; i < LR_ARRAY_COUNT(weak); i++) {
        if (one->x509.signed_by.len == weak[i].len &&
            memcmp(one->x509.signed_by.bytes, weak[i].id, weak[i].len) == 0)
            return true;
    }
    return false;
}

/* What lockring looks at by itself, link by link; the last one is trusted. */
static lr__verify_code check_links(const judge *j, uint32_t len)
{
    int intermediates = 0;

    for (uint32_t i = 0; i < len; i++) {
        const cert_link *one = j->path[i];
        bool trusted = i + 1 == len;

        if (i > 0 && !one->rules.is_ca && !(trusted && one->x509.version < 3))
            return LR__VERIFY_INVALID_CA;
        if (i > 0 && one->rules.has_usage && !(one->rules.usage & LR__USAGE_CERT_SIGN))
            return LR__VERIFY_INVALID_CA;
        if (i > 0 && one->rules.path_len >= 0 && intermediates > one->rules.path_len)
            return LR__VERIFY_PATH_LENGTH_EXCEEDED;
        if (i > 0 && !one->self_issued)
            intermediates++;
        /* wolfSSL 5.9.2 holds names against the constraints of the direct issuer only. */
        if (i > 1 && one->rules.has_name_constraints)
            return LR__VERIFY_UNSUPPORTED_CONSTRAINT_TYPE;
        if (!trusted && one->x509.key_kind == LR__KEY_RSA &&
            rsa_bits(one->x509.public_key_info) < j->rules->rsa_bits_min)
            return i == 0 ? LR__VERIFY_EE_KEY_TOO_SMALL : LR__VERIFY_CA_KEY_TOO_SMALL;
        if (!trusted && is_weakly_signed(one))
            return LR__VERIFY_CA_MD_TOO_WEAK;
    }
    for (uint32_t i = len; i-- > 0;) {
        if (j->path[i]->x509.not_before > j->rules->now)
            return LR__VERIFY_CERT_NOT_YET_VALID;
        if (j->path[i]->x509.not_after < j->rules->now)
            return LR__VERIFY_CERT_HAS_EXPIRED;
    }
    return LR__VERIFY_OK;
}

static lr__verify_code code_of(int native)
{
    switch (native) {
    case ASN_SIG_CONFIRM_E:
    case ASN_SIG_HASH_E:
    case ASN_SIG_KEY_E:
    case ASN_SIG_OID_E:
        return LR__VERIFY_CERT_SIGNATURE_FAILURE;
    case ASN_NO_SIGNER_E:
    case ASN_SELF_SIGNED_E:
        return LR__VERIFY_CERT_UNTRUSTED;
    case ASN_PATHLEN_INV_E:
    case ASN_PATHLEN_SIZE_E:
        return LR__VERIFY_PATH_LENGTH_EXCEEDED;
    case ASN_NAME_INVALID_E:
        return LR__VERIFY_PERMITTED_VIOLATION;
    case ASN_CRIT_EXT_E:
        return LR__VERIFY_UNHANDLED_CRITICAL_EXTENSION;
    case ASN_BEFORE_DATE_E:
        return LR__VERIFY_CERT_NOT_YET_VALID;
    case ASN_AFTER_DATE_E:
        return LR__VERIFY_CERT_HAS_EXPIRED;
    case RSA_KEY_SIZE_E:
    case ECC_KEY_SIZE_E:
        return LR__VERIFY_CA_KEY_TOO_SMALL;
    case MEMORY_E:
    case MEMORY_ERROR:
        return LR__VERIFY_OUT_OF_MEM;
    default:
        return LR__VERIFY_CERT_REJECTED;
    }
}

static int trust_in(WOLFSSL_CERT_MANAGER *manager, const cert_link *one)
{
    return wolfSSL_CertManagerLoadCABuffer_ex(manager, one->der.bytes, (long)one->der.len,
                                              WOLFSSL_FILETYPE_ASN1, 0,
                                              WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY);
}

/* Signatures, names and unknown extensions: each certificate by the one above it, which is in the
 * manager by then because it held itself. */
static lr__verify_code check_signatures(const judge *j, uint32_t len)
{
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
    int ret;

    if (!manager)
        return LR__VERIFY_OUT_OF_MEM;
    ret = trust_in(manager, j->path[len - 1]);
    for (uint32_t i = len - 1; ret == WOLFSSL_SUCCESS && i-- > 0;) {
        ret = wolfSSL_CertManagerVerifyBuffer(manager, j->path[i]->der.bytes,
                                              (long)j->path[i]->der.len, WOLFSSL_FILETYPE_ASN1);
        if (ret == 0)
            ret = WOLFSSL_SUCCESS;
        if (ret == WOLFSSL_SUCCESS && i > 0)
            ret = trust_in(manager, j->path[i]);
    }
    wolfSSL_CertManagerFree(manager);
    return ret == WOLFSSL_SUCCESS ? LR__VERIFY_OK : code_of(ret);
}

/* Did the issuer sign the list? Proven once for each worker: reading a long list takes long. */
static lr__verify_code prove_crl(const judge *j, uint32_t i, const cert_link *issuer)
{
    lr__crl_proof *proof = &j->proofs[i];
    const lr__crl *crl = &j->trust->crls[i];
    WOLFSSL_CERT_MANAGER *manager;
    uint8_t digest[32];
    int ret;

    if (issuer->rules.has_usage && !(issuer->rules.usage & LR__USAGE_CRL_SIGN))
        return LR__VERIFY_KEYUSAGE_NO_CRL_SIGN;
    if (wc_Sha256Hash(issuer->der.bytes, (word32)issuer->der.len, digest) != 0)
        return LR__VERIFY_OUT_OF_MEM;
    if (proof->proven && memcmp(proof->issuer, digest, sizeof(digest)) == 0)
        return LR__VERIFY_OK;
    manager = wolfSSL_CertManagerNew();
    if (!manager)
        return LR__VERIFY_OUT_OF_MEM;
    ret = trust_in(manager, issuer);
    if (ret == WOLFSSL_SUCCESS)
        ret = wolfSSL_CertManagerEnableCRL(manager, 0);
    if (ret == WOLFSSL_SUCCESS)
        ret = wolfSSL_CertManagerLoadCRLBuffer(manager, crl->der.bytes, (long)crl->der.len,
                                               WOLFSSL_FILETYPE_ASN1);
    wolfSSL_CertManagerFree(manager);
    if (ret != WOLFSSL_SUCCESS)
        return code_of(ret) == LR__VERIFY_OUT_OF_MEM ? LR__VERIFY_OUT_OF_MEM
                                                     : LR__VERIFY_CRL_SIGNATURE_FAILURE;
    proof->proven = true;
    memcpy(proof->issuer, digest, sizeof(digest));
    return LR__VERIFY_OK;
}

static lr__verify_code check_revoked(judge *j, const cert_link *one, const cert_link *issuer)
{
    lr__verify_code code = LR__VERIFY_UNABLE_TO_GET_CRL;
    bool good = false;

    for (uint32_t i = 0; i < j->trust->crl_count; i++) {
        const lr__crl *crl = &j->trust->crls[i];
        lr__verify_code of_list;

        if (!lr__same_bytes(crl->issuer, one->x509.issuer))
            continue;
        if (crl->this_update > j->rules->now)
            of_list = LR__VERIFY_CRL_NOT_YET_VALID;
        else if (crl->next_update < j->rules->now)
            of_list = LR__VERIFY_CRL_HAS_EXPIRED;
        else
            of_list = prove_crl(j, i, issuer);
        if (of_list == LR__VERIFY_OK && lr__crl_has(crl, one->x509.serial))
            return LR__VERIFY_CERT_REVOKED;
        if (of_list == LR__VERIFY_OK && crl->next_update < j->until)
            j->until = crl->next_update;
        good |= of_list == LR__VERIFY_OK;
        code = of_list;
    }
    return good ? LR__VERIFY_OK : code;
}

static lr__verify_code judge_path(judge *j, uint32_t len)
{
    const cert_link *leaf = j->path[0];
    lr__verify_code code = check_links(j, len);

    j->until = INT64_MAX;
    for (uint32_t i = 0; i < len; i++) {
        if (j->path[i]->x509.not_after < j->until)
            j->until = j->path[i]->x509.not_after;
    }
    if (code == LR__VERIFY_OK)
        code = check_signatures(j, len);
    for (uint32_t i = 0; code == LR__VERIFY_OK && j->trust->crl_count > 0 && i + 1 < len; i++)
        code = check_revoked(j, j->path[i], j->path[i + 1]);
    if (code != LR__VERIFY_OK)
        return code;
    if (leaf->rules.has_ext_usage && !leaf->rules.for_clients)
        return LR__VERIFY_INVALID_PURPOSE;
    if (leaf->rules.has_usage &&
        !(leaf->rules.usage & (LR__USAGE_DIGITAL_SIGNATURE | LR__USAGE_KEY_AGREEMENT)))
        return LR__VERIFY_INVALID_PURPOSE;
    return LR__VERIFY_OK;
}

/* By name, and by the key's identifier where both tell it. */
static bool may_issue(const cert_link *issuer, const cert_link *of)
{
    lr_slice wanted = of->rules.issuer_key_id, has = issuer->rules.key_id;

    return lr__same_bytes(issuer->x509.subject, of->x509.issuer) &&
           (wanted.len == 0 || has.len == 0 || lr__same_bytes(wanted, has));
}

/* A whole path. True: it holds. */
static bool try_path(judge *j, uint32_t len)
{
    lr__verify_code code;

    if (j->judgements == JUDGEMENTS_MAX)
        return false;
    code = judge_path(j, len);
    if (j->judgements++ == 0)
        j->first = code;
    return code == LR__VERIFY_OK;
}

/* Goes on from a path of len certificates. True: one was found that holds. */
static bool extend(judge *j, uint32_t len)
{
    const cert_link *last = j->path[len - 1];
    const lr__authority *authority;
    uint32_t at = 0;
    cert_link above;

    if (j->steps++ == STEPS_MAX)
        return false;
    /* Somebody trusted who is at the end already: a self-signed certificate in `ca`. */
    for (uint32_t i = 0; last->self_issued && i < j->trust->authority_count; i++) {
        if (lr__same_bytes(j->trust->authorities[i].der, last->der))
            return try_path(j, len);
    }
    while ((authority = lr__trust_issuer(j->trust, &last->x509, last->rules.issuer_key_id, &at))) {
        j->path[len] = &above;
        if (read_link(authority->der, &above) && try_path(j, len + 1))
            return true;
    }
    for (uint32_t i = 1; i < j->count; i++) {
        cert_link *next = &j->sent[i];

        if (next->used || !may_issue(next, last) || lr__same_bytes(next->der, last->der) ||
            j->steps >= STEPS_MAX)
            continue;
        if (len > j->rules->depth) {
            j->too_long = true;
            continue;
        }
        next->used = true;
        j->path[len] = next;
        if (extend(j, len + 1))
            return true;
        next->used = false;
    }
    return false;
}

/* No path led to somebody trusted: how far did the peer's own certificates lead? */
static lr__verify_code how_far(judge *j)
{
    const cert_link *last = &j->sent[0];
    uint32_t len = 1;

    for (uint32_t i = 1; !last->self_issued && i < j->count; i++) {
        if (j->sent[i].used || !may_issue(&j->sent[i], last))
            continue;
        j->sent[i].used = true;
        last = &j->sent[i];
        len++;
        i = 0;
    }
    if (j->too_long)
        return LR__VERIFY_CERT_CHAIN_TOO_LONG;
    if (last->self_issued)
        return len == 1 ? LR__VERIFY_DEPTH_ZERO_SELF_SIGNED_CERT
                        : LR__VERIFY_SELF_SIGNED_CERT_IN_CHAIN;
    return len == 1 ? LR__VERIFY_UNABLE_TO_VERIFY_LEAF_SIGNATURE
                    : LR__VERIFY_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
}

lr__verify_code lr__verify_client(const lr__trust *trust, const lr__verify_rules *rules,
                                  lr__crl_proof *proofs, const lr_slice *chain, uint32_t count,
                                  int64_t *until)
{
    judge *j;
    lr__verify_code code;

    LR_DCHECK(rules->depth < PATH_MAX_CERTS && (trust->crl_count == 0 || proofs));
    *until = INT64_MIN;
    if (count == 0)
        return LR__VERIFY_UNABLE_TO_GET_ISSUER_CERT;
    if (count > LR__PEER_CHAIN_MAX)
        return LR__VERIFY_CERT_CHAIN_TOO_LONG;
    j = lr__alloc_zero(1, sizeof(*j));
    if (!j)
        return LR__VERIFY_OUT_OF_MEM;
    j->trust = trust;
    j->rules = rules;
    j->proofs = proofs;
    code = LR__VERIFY_CERT_REJECTED;
    for (uint32_t i = 0; i < count; i++) {
        if (read_link(chain[i], &j->sent[j->count]))
            j->count++;
        else if (i == 0)
            goto done; /* the leaf: nothing can be said of it */
    }
    j->sent[0].used = true;
    j->path[0] = &j->sent[0];
    if (!extend(j, 1)) {
        code = j->judgements > 0 ? j->first : how_far(j);
    } else {
        code = LR__VERIFY_OK;
        *until = j->until;
    }
done:
    lr__free(j);
    return code;
}
