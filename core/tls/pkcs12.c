/* SPDX-License-Identifier: MIT */
#include "core/tls/pkcs12.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/base/status.h"
#include "core/tls/wolf.h"

#include <string.h>
#include <wolfssl/wolfcrypt/pkcs12.h>

typedef struct opened {
    byte *key, *certificate;
    word32 key_size, certificate_size;
    WC_DerCertList *others;
} opened;

static void close_all(opened *o)
{
    XFREE(o->key, NULL, DYNAMIC_TYPE_PUBLIC_KEY); /* a secret block: wiped */
    XFREE(o->certificate, NULL, DYNAMIC_TYPE_PKCS);
    wc_FreeCertList(o->others, NULL);
}

static lr_status refuse(int native, const char *name, lr_error *err)
{
    if (native == MEMORY_E)
        return lr__fail(err, LR_ENOMEM, "%s: out of memory", name);
    if (native == MAC_CMP_FAILED_E)
        return lr__fail(err, LR_EKEY, "%s: wrong passphrase, or the file was changed", name);
    return lr__fail(err, LR_EKEY, "%s: no PKCS#12 that is known here (wolfSSL %d)", name, native);
}

static lr_status open_all(const lr__input *input, const char *passphrase, opened *o, lr_error *err)
{
    WC_PKCS12 *file;
    int ret = MEMORY_E;

    lr__wolf_secret(true);
    file = wc_PKCS12_new();
    if (file)
        ret = wc_d2i_PKCS12(input->bytes.bytes, (word32)input->bytes.len, file);
    if (ret == 0)
        ret = wc_PKCS12_parse(file, passphrase ? passphrase : "", &o->key, &o->key_size,
                              &o->certificate, &o->certificate_size, &o->others);
    wc_PKCS12_free(file);
    lr__wolf_secret(false);
    if (ret != 0)
        return refuse(ret, input->name, err);
    if (!o->key || o->key_size == 0)
        return lr__fail(err, LR_EKEY, "%s: no private key in it", input->name);
    if (!o->certificate)
        return lr__fail(err, LR_ECERTIFICATE, "%s: no certificate of its key in it", input->name);
    return LR_OK;
}

/* The certificate among the others that bears the name of the issuer; null: none. */
static const WC_DerCertList *issuer_of(const opened *o, const lr__x509 *of)
{
    for (const WC_DerCertList *one = o->others; one; one = one->next) {
        lr__x509 x509;

        if (lr__x509_parse(lr_slice_of(one->buffer, one->bufferSz), &x509) &&
            lr__same_bytes(x509.subject, of->issuer))
            return one;
    }
    return NULL;
}

static lr_status take_chain(lr__identity *identity, const opened *o, const char *name,
                            lr_error *err)
{
    lr_slice next = lr_slice_of(o->certificate, o->certificate_size);
    size_t room = next.len, used = 0;
    lr__x509 x509;

    for (const WC_DerCertList *one = o->others; one; one = one->next)
        room += one->bufferSz;
    identity->chain = lr__alloc(room);
    if (!identity->chain)
        return lr__fail(err, LR_ENOMEM, "%s: out of memory", name);
    while (next.len > 0 && identity->certificate_count < LR__CHAIN_MAX) {
        const WC_DerCertList *above;

        if (next.len > room - used)
            break; /* a ring of names: each stands in it once */
        memcpy(identity->chain + used, next.bytes, next.len);
        identity->certificates[identity->certificate_count++] =
            lr_slice_of(identity->chain + used, next.len);
        used += next.len;
        if (!lr__x509_parse(next, &x509))
            return lr__fail(err, LR_ECERTIFICATE, "%s: a certificate is malformed", name);
        above = lr__same_bytes(x509.subject, x509.issuer) ? NULL : issuer_of(o, &x509);
        next = above ? lr_slice_of(above->buffer, above->bufferSz) : lr_slice_of(NULL, 0);
    }
    return LR_OK;
}

static lr_status take_others(lr__der_list *others, const opened *o, const char *name, lr_error *err)
{
    for (const WC_DerCertList *one = o->others; one; one = one->next) {
        if (!lr__der_list_put(others, lr_slice_of(one->buffer, one->bufferSz)))
            return lr__fail(err, LR_ENOMEM, "%s: out of memory", name);
    }
    return LR_OK;
}

lr_status lr__pkcs12_load(lr__identity *identity, const lr__input *input, const char *passphrase,
                          lr__der_list *others, lr_error *err)
{
    opened o = {0};
    lr_status status = open_all(input, passphrase, &o, err);

    LR_DCHECK(!identity->chain && !identity->key);
    if (status == LR_OK) {
        identity->key = lr__secret_alloc(o.key_size);
        if (!identity->key)
            status = lr__fail(err, LR_ENOMEM, "%s: out of memory", input->name);
    }
    if (status == LR_OK) {
        memcpy(identity->key, o.key, o.key_size);
        identity->key_size = o.key_size;
        status = take_chain(identity, &o, input->name, err);
    }
    if (status == LR_OK)
        status = take_others(others, &o, input->name, err);
    close_all(&o);
    return status;
}
