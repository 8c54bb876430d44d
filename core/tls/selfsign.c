/* SPDX-License-Identifier: MIT */
/* core/tls/selfsign.c: a certificate made in memory, for trying things out and for tests.
 *
 * ECDSA P-256 with SHA-256, 30 days, the first name as common name, all names as subjectAltName
 * (dNSName, or iPAddress where the text is an address). */
#include "core/tls/context.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/base/status.h"
#include "core/tls/wolf.h"

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

#include <arpa/inet.h>
#include <string.h>

enum { CERT_ROOM = 4096, KEY_ROOM = 256, GENERAL_NAME_DNS = 0x82, GENERAL_NAME_IP = 0x87 };

/* GeneralNames (RFC 5280 4.2.1.6) as the SEQUENCE that wolfSSL expects in Cert.altNames. */
static lr_status alt_names(const char *names, Cert *cert, lr_error *err)
{
    uint8_t *out = cert->altNames + 4; /* room for a SEQUENCE's tag and a length of three bytes */
    size_t header;
    size_t len = 0;

    for (const char *word = names;; word++) {
        size_t word_len = strcspn(word, ",");
        char text[254];
        uint8_t address[16];
        uint8_t tag = GENERAL_NAME_DNS;
        const void *value = text;
        size_t value_len = word_len;

        if (word_len == 0 || word_len >= sizeof(text))
            return lr__fail(err, LR_EOPTION, "self_signed: '%.80s' has an empty or too long name",
                            names);
        memcpy(text, word, word_len);
        text[word_len] = '\0';
        if (inet_pton(AF_INET, text, address) == 1)
            value_len = 4;
        else if (inet_pton(AF_INET6, text, address) == 1)
            value_len = 16;
        else
            value_len = 0;
        if (value_len != 0) {
            tag = GENERAL_NAME_IP;
            value = address;
        } else {
            value_len = word_len;
        }
        if (4 + len + 3 + value_len > sizeof(cert->altNames))
            return lr__fail(err, LR_EOPTION, "self_signed: too many names");
        out[len++] = tag;
        if (value_len > 127)
            out[len++] = 0x81;
        out[len++] = (uint8_t)value_len;
        memcpy(out + len, value, value_len);
        len += value_len;
        word += word_len;
        if (*word == '\0')
            break;
    }
    header = len < 128 ? 2 : len < 256 ? 3 : 4; /* DER: the shortest form */
    memmove(cert->altNames + header, out, len);
    cert->altNames[0] = 0x30;
    if (header > 2)
        cert->altNames[1] = (uint8_t)(0x80 | (header - 2));
    if (header > 3)
        cert->altNames[2] = (uint8_t)(len >> 8);
    cert->altNames[header - 1] = (uint8_t)len;
    cert->altNamesSz = (int)(header + len);
    return LR_OK;
}

static int make(Cert *cert, ecc_key *key, WC_RNG *rng, uint8_t *out)
{
    int ret = wc_ecc_make_key_ex(rng, 32, key, ECC_SECP256R1);

    if (ret == 0)
        ret = wc_MakeCert_ex(cert, out, CERT_ROOM, ECC_TYPE, key, rng);
    if (ret < 0)
        return ret;
    return wc_SignCert_ex(ret, CTC_SHA256wECDSA, out, CERT_ROOM, ECC_TYPE, key, rng);
}

lr_status lr__self_signed(const char *names, uint8_t **cert_out, uint32_t *cert_size,
                          uint8_t **key_out, uint32_t *key_size, lr_error *err)
{
    Cert *cert = lr__alloc_zero(1, sizeof(Cert));
    uint8_t *der = lr__alloc(CERT_ROOM), *key_der = lr__secret_alloc(KEY_ROOM);
    bool rng_ready = false, key_ready = false;
    lr_status status = LR_ENOMEM;
    ecc_key key;
    WC_RNG rng;
    int ret;

    LR_DCHECK(names != NULL);
    if (!cert || !der || !key_der) {
        (void)lr__fail(err, status, "self_signed: out of memory");
        goto fail;
    }
    status = LR_ECERTIFICATE;
    ret = wc_InitRng(&rng);
    rng_ready = ret == 0;
    if (ret == 0)
        ret = wc_ecc_init(&key);
    key_ready = rng_ready && ret == 0;
    if (ret == 0)
        ret = wc_InitCert(cert);
    if (ret != 0) {
        status = lr__tls_fail(err, status, ret, "self_signed");
        goto fail;
    }
    cert->daysValid = 30;
    cert->sigType = CTC_SHA256wECDSA;
    cert->isCA = 0;
    (void)snprintf(cert->subject.commonName, sizeof(cert->subject.commonName), "%.*s",
                   (int)strcspn(names, ","), names);
    status = alt_names(names, cert, err);
    if (status != LR_OK)
        goto fail;
    status = LR_ECERTIFICATE;
    ret = make(cert, &key, &rng, der);
    if (ret <= 0) {
        status = lr__tls_fail(err, status, ret, "self_signed");
        goto fail;
    }
    *cert_size = (uint32_t)ret;
    ret = wc_EccKeyToDer(&key, key_der, KEY_ROOM);
    if (ret <= 0) {
        status = lr__tls_fail(err, status, ret, "self_signed");
        goto fail;
    }
    *key_size = (uint32_t)ret;
    *cert_out = der;
    *key_out = key_der;
    der = key_der = NULL;
    status = LR_OK;
fail:
    if (key_ready)
        wc_ecc_free(&key);
    if (rng_ready)
        wc_FreeRng(&rng);
    lr__free(cert);
    lr__free(der);
    lr__secret_free(key_der);
    return status;
}
