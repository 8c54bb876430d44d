/* SPDX-License-Identifier: MIT */
/* core/tls/proof.c: the callbacks behind proof.h.
 *
 * wolfSSL calls those for signatures with the key of the peer's certificate, and those for secrets
 * without saying for which connection: a call of wolfSSL is about one connection, so that whoever
 * makes it says whose it is. Each thread has its own. */
#include "core/tls/proof.h"

#include "core/tls/wolf.h"

#include <string.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/rsa.h>

static _Thread_local lr__proof *watched;

/* wolfSSL verifies signatures in certificates by the same callbacks, but never behind the last word
 * on them. */
static void note_verified(bool verified)
{
    if (watched && watched->judged && verified)
        watched->verified = true;
}

static int on_ecc(WOLFSSL *ssl, const unsigned char *sig, unsigned sig_len,
                  const unsigned char *hash, unsigned hash_len, const unsigned char *der,
                  unsigned der_len, int *verified, void *arg)
{
    word32 at = 0;
    ecc_key key;
    int ret = wc_ecc_init(&key);

    (void)ssl;
    (void)arg;
    *verified = 0;
    if (ret != 0)
        return ret;
    ret = wc_EccPublicKeyDecode(der, &at, &key, der_len);
    if (ret == 0)
        ret = wc_ecc_verify_hash(sig, sig_len, hash, hash_len, verified, &key);
    note_verified(ret == 0 && *verified == 1);
    wc_ecc_free(&key);
    return ret;
}

static int on_ed25519(WOLFSSL *ssl, const unsigned char *sig, unsigned sig_len,
                      const unsigned char *message, unsigned message_len, const unsigned char *raw,
                      unsigned raw_len, int *verified, void *arg)
{
    ed25519_key key;
    int ret = wc_ed25519_init(&key);

    (void)ssl;
    (void)arg;
    *verified = 0;
    if (ret != 0)
        return ret;
    ret = wc_ed25519_import_public(raw, raw_len, &key);
    if (ret == 0)
        ret = wc_ed25519_verify_msg(sig, sig_len, message, message_len, verified, &key);
    note_verified(ret == 0 && *verified == 1);
    wc_ed25519_free(&key);
    return ret;
}

/* The length of what is inside the signature. wolfSSL compares that with the transcript, and goes
 * no further where it differs. */
static int on_rsa_pss(WOLFSSL *ssl, unsigned char *sig, unsigned sig_len, unsigned char **out,
                      int hash, int mgf, const unsigned char *der, unsigned der_len, void *arg)
{
    word32 at = 0;
    RsaKey key;
    int ret = wc_InitRsaKey(&key, NULL);

    (void)ssl;
    (void)arg;
    if (ret != 0)
        return ret;
    ret = wc_RsaPublicKeyDecode(der, &at, &key, der_len);
    if (ret == 0)
        ret = wc_RsaPSS_VerifyInline(sig, sig_len, out, wc_OidGetHash(hash), mgf, &key);
    note_verified(ret > 0);
    wc_FreeRsaKey(&key);
    return ret;
}

/* "res master" (RFC 8446 7.1): DoTls13HandShakeMsgType() of src/tls13.c derives it behind the
 * client's Finished and nowhere else. wolfSSL does the work itself. */
static int on_expand(byte *okm, word32 okm_len, const byte *prk, word32 prk_len,
                     const byte *protocol, word32 protocol_len, const byte *label, word32 label_len,
                     const byte *info, word32 info_len, int digest, int side)
{
    static const char last[] = "res master";

    (void)okm, (void)okm_len, (void)prk, (void)prk_len, (void)protocol, (void)protocol_len;
    (void)info, (void)info_len, (void)digest, (void)side;
    if (watched && !watched->finished && label_len == sizeof(last) - 1 &&
        memcmp(label, last, label_len) == 0) {
        watched->finished = true;
        watched->proven = watched->verified;
    }
    return NOT_COMPILED_IN;
}

void lr__proof_set_up(struct WOLFSSL_CTX *ctx)
{
    wolfSSL_CTX_SetEccVerifyCb(ctx, on_ecc);
    wolfSSL_CTX_SetEd25519VerifyCb(ctx, on_ed25519);
    wolfSSL_CTX_SetRsaPssVerifyCb(ctx, on_rsa_pss);
    wolfSSL_CTX_SetHKDFExpandLabelCb(ctx, on_expand);
}

void lr__proof_watch(lr__proof *proof)
{
    watched = proof;
}
