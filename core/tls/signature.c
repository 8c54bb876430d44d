/* SPDX-License-Identifier: MIT */
#include "core/tls/signature.h"

#include "core/base/check.h"
#include "core/tls/wolf.h"
#include "core/tls/x509.h"

#include <string.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/signature.h>

enum { DER_BITS = 0x03, DER_NULL = 0x05, DER_OID = 0x06, DER_SEQUENCE = 0x30 };

static const char no_signature[] = "its signature does not hold";
static const char no_memory[] = "out of memory";

bool lr__signed_parse(lr_slice der, lr__signed *out)
{
    lr_slice in = der, skipped, bits;

    memset(out, 0, sizeof(*out));
    if (!lr__der_expect(&in, DER_SEQUENCE, &out->rest, NULL) || in.len != 0 ||
        !lr__der_expect(&out->rest, DER_SEQUENCE, &skipped, &out->body) ||
        !lr__der_expect(&out->rest, DER_SEQUENCE, &out->algorithm, NULL) ||
        !lr__der_expect(&out->rest, DER_BITS, &bits, NULL) || bits.len < 2 || bits.bytes[0] != 0)
        return false;
    out->signature = lr_slice_of(bits.bytes + 1, bits.len - 1);
    return true;
}

typedef enum family { RSA_PKCS1, ECDSA, ED25519 } family;

/* RFC 8017 A.2.4, RFC 5758 3.2, RFC 8410 3. */
static const struct algorithm {
    const char *id;
    size_t len;
    family family;
    enum wc_HashType hash;
} algorithms[] = {
    {"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", 9, RSA_PKCS1, WC_HASH_TYPE_SHA256},
    {"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", 9, RSA_PKCS1, WC_HASH_TYPE_SHA384},
    {"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", 9, RSA_PKCS1, WC_HASH_TYPE_SHA512},
    {"\x2a\x86\x48\xce\x3d\x04\x03\x02", 8, ECDSA, WC_HASH_TYPE_SHA256},
    {"\x2a\x86\x48\xce\x3d\x04\x03\x03", 8, ECDSA, WC_HASH_TYPE_SHA384},
    {"\x2a\x86\x48\xce\x3d\x04\x03\x04", 8, ECDSA, WC_HASH_TYPE_SHA512},
    {"\x2b\x65\x70", 3, ED25519, WC_HASH_TYPE_NONE},
};

static const struct algorithm *algorithm_of(lr_slice identifier)
{
    lr_slice id, nothing;

    if (!lr__der_expect(&identifier, DER_OID, &id, NULL))
        return NULL;
    if (identifier.len != 0 && (!lr__der_expect(&identifier, DER_NULL, &nothing, NULL) ||
                                nothing.len != 0 || identifier.len != 0))
        return NULL;
    for (size_t i = 0; i < LR_ARRAY_COUNT(algorithms); i++) {
        if (id.len == algorithms[i].len && memcmp(id.bytes, algorithms[i].id, id.len) == 0)
            return &algorithms[i];
    }
    return NULL;
}

static const char *verdict_of(int ret)
{
    return ret == 0 ? NULL : ret == MEMORY_E ? no_memory : no_signature;
}

static const char *check_rsa(const lr__signed *what, lr_slice key, enum wc_HashType hash)
{
    word32 at = 0;
    RsaKey rsa;
    int ret = wc_InitRsaKey(&rsa, NULL);

    if (ret != 0)
        return no_memory;
    ret = wc_RsaPublicKeyDecode(key.bytes, &at, &rsa, (word32)key.len);
    if (ret == 0)
        ret = wc_SignatureVerify(hash, WC_SIGNATURE_TYPE_RSA_W_ENC, what->body.bytes,
                                 (word32)what->body.len, what->signature.bytes,
                                 (word32)what->signature.len, &rsa, sizeof(rsa));
    (void)wc_FreeRsaKey(&rsa);
    return verdict_of(ret);
}

static const char *check_ecdsa(const lr__signed *what, lr_slice key, enum wc_HashType hash)
{
    word32 at = 0;
    ecc_key ecc;
    int ret = wc_ecc_init(&ecc);

    if (ret != 0)
        return no_memory;
    ret = wc_EccPublicKeyDecode(key.bytes, &at, &ecc, (word32)key.len);
    if (ret == 0)
        ret = wc_SignatureVerify(hash, WC_SIGNATURE_TYPE_ECC, what->body.bytes,
                                 (word32)what->body.len, what->signature.bytes,
                                 (word32)what->signature.len, &ecc, sizeof(ecc));
    (void)wc_ecc_free(&ecc);
    return verdict_of(ret);
}

static const char *check_ed25519(const lr__signed *what, lr_slice key)
{
    ed25519_key ed;
    word32 at = 0;
    int ret = wc_ed25519_init(&ed), verified = 0;

    if (ret != 0)
        return no_memory;
    ret = wc_Ed25519PublicKeyDecode(key.bytes, &at, &ed, (word32)key.len);
    if (ret == 0)
        ret = wc_ed25519_verify_msg(what->signature.bytes, (word32)what->signature.len,
                                    what->body.bytes, (word32)what->body.len, &verified, &ed);
    wc_ed25519_free(&ed);
    if (ret == 0 && verified != 1)
        ret = SIG_VERIFY_E;
    return verdict_of(ret);
}

const char *lr__signed_check(const lr__signed *what, lr_slice public_key)
{
    const struct algorithm *algorithm = algorithm_of(what->algorithm);

    LR_DCHECK(what->body.len != 0 && what->signature.len != 0);
    if (!algorithm)
        return "it is signed by an algorithm that is not taken here";
    switch (algorithm->family) {
    case RSA_PKCS1:
        return check_rsa(what, public_key, algorithm->hash);
    case ECDSA:
        return check_ecdsa(what, public_key, algorithm->hash);
    case ED25519:
        return check_ed25519(what, public_key);
    }
    LR_UNREACHABLE();
}
