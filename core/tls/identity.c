/* SPDX-License-Identifier: MIT */
/* core/tls/identity.c: reading and checking a certificate chain and its key.
 *
 * PEM is taken apart here, once, and the text of keys is wiped. What can be wrong with an identity
 * is found here, by name, but for one thing: that the key is another certificate's is said by
 * wolfSSL, when the context makes its trial replica. */
#include "core/tls/identity.h"

#include "core/base/check.h"
#include "core/base/current.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/context.h"
#include "core/tls/pem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Where a piece of the identity came from, for messages, and its PEM. */
typedef struct source {
    const char *cert_name, *key_name, *passphrase;
    lr_slice cert, key;
    uint8_t *cert_block, *key_block; /* read from files; key_block is wiped */
} source;

static bool same_bytes(lr_slice a, lr_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

static void date_text(int64_t seconds, char out[32])
{
    time_t at = (time_t)seconds;
    struct tm tm;

    if (!gmtime_r(&at, &tm) || strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        memcpy(out, "?", 2);
}

/* Order: each certificate is the issuer of the one before it. Dates: the leaf's must hold now. */
static lr_status check_chain(lr__identity *identity, const char *name, lr_error *err)
{
    int64_t now = lr__current_wall_ms() / 1000;
    lr__x509 previous = {0};

    for (uint32_t i = 0; i < identity->certificate_count; i++) {
        lr__x509 x509;
        char date[32];

        if (!lr__x509_parse(identity->certificates[i], &x509))
            return lr__fail(err, LR_ECERTIFICATE, "%s: certificate %u is malformed", name, i + 1);
        if (i > 0 && !same_bytes(previous.issuer, x509.subject))
            return lr__fail(err, LR_ECERTIFICATE,
                            "%s: certificate %u is not the issuer of certificate %u", name, i + 1,
                            i);
        if (x509.not_before > now) {
            date_text(x509.not_before, date);
            return lr__fail(err, LR_ECERTIFICATE, "%s: certificate %u is valid only from %s", name,
                            i + 1, date);
        }
        if (x509.not_after < now) {
            date_text(x509.not_after, date);
            return lr__fail(err, LR_ECERTIFICATE, "%s: certificate %u expired %s", name, i + 1,
                            date);
        }
        if (i == 0)
            identity->kind = x509.key_kind;
        previous = x509;
    }
    return LR_OK;
}

static lr_status load_pem(lr__identity *identity, const source *from, lr_error *err)
{
    LR_TRY(lr__pem_certificates(from->cert, from->cert_name, &identity->chain,
                                identity->certificates, LR__CHAIN_MAX, &identity->certificate_count,
                                err));
    LR_TRY(lr__pem_key(from->key, from->key_name, from->passphrase, &identity->key,
                       &identity->key_size, err));
    return check_chain(identity, from->cert_name, err);
}

static lr_status load_files(lr__identity *identity, source *from, lr_error *err)
{
    lr_status status = lr__pem_read(from->cert_name, &from->cert_block, &from->cert, err);

    if (status == LR_OK)
        status = lr__pem_read(from->key_name, &from->key_block, &from->key, err);
    if (status == LR_OK)
        status = load_pem(identity, from, err);
    lr__free(from->cert_block);
    if (from->key_block)
        lr__free_wiped(from->key_block, from->key.len);
    return status;
}

lr_status lr__identity_load(lr__identity *identity, const lr_identity *from, const char *where,
                            lr_error *err)
{
    bool files = from->cert_file || from->key_file;
    const char *whose = *where != '\0' ? where : "lr_context_options: ";
    char cert_name[64], key_name[64];
    source pem = {.passphrase = from->passphrase, .cert = from->cert, .key = from->key};

    LR_DCHECK(!identity->chain && !identity->key);
    if (files == (from->cert.len != 0 || from->key.len != 0))
        return lr__fail(err, LR_EOPTION,
                        "%sexactly one of cert_file and key_file, or cert and key is needed",
                        whose);
    if (files && !(from->cert_file && from->key_file))
        return lr__fail(err, LR_EOPTION, "%scert_file and key_file go together", whose);
    if (!files && !(from->cert.len != 0 && from->key.len != 0))
        return lr__fail(err, LR_EOPTION, "%scert and key go together", whose);
    if (files) {
        pem.cert_name = from->cert_file;
        pem.key_name = from->key_file;
        return load_files(identity, &pem, err);
    }
    (void)snprintf(cert_name, sizeof(cert_name), "%scert", where);
    (void)snprintf(key_name, sizeof(key_name), "%skey", where);
    pem.cert_name = cert_name;
    pem.key_name = key_name;
    return load_pem(identity, &pem, err);
}

lr_status lr__identity_make(lr__identity *identity, const char *names, lr_error *err)
{
    uint32_t size;
    lr__x509 x509;

    LR_TRY(
        lr__self_signed(names, &identity->chain, &size, &identity->key, &identity->key_size, err));
    identity->certificates[0] = lr_slice_of(identity->chain, size);
    identity->certificate_count = 1;
    LR_CHECK(lr__x509_parse(identity->certificates[0], &x509));
    identity->kind = x509.key_kind;
    return LR_OK;
}

void lr__identity_fini(lr__identity *identity)
{
    lr__free(identity->chain);
    if (identity->key)
        lr__free_wiped(identity->key, identity->key_size);
    memset(identity, 0, sizeof(*identity));
}
