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
#include "core/base/secret.h"
#include "core/base/status.h"
#include "core/tls/context.h"
#include "core/tls/pem.h"
#include "core/tls/pkcs12.h"
#include "core/tls/trust.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

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

/* Whoever may write the file of a key may put another one there. Who may read it is not judged:
 * containers hand out keys that everybody inside may read. */
static lr_status check_key_file(const char *path, lr_error *err)
{
    struct stat st;

    if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 022) != 0)
        return lr__fail(err, LR_EKEY, "%s: others than its owner may write this key (mode %03o)",
                        path, (unsigned)st.st_mode & 0777);
    return LR_OK;
}

/* The passphrase may be null. */
static lr_status load_pair(lr__identity *identity, const lr__input *cert, const lr__input *key,
                           const char *passphrase, lr_error *err)
{
    LR_TRY(lr__pem_certificates(cert->bytes, cert->name, &identity->chain, identity->certificates,
                                LR__CHAIN_MAX, &identity->certificate_count, err));
    LR_TRY(
        lr__pem_key(key->bytes, key->name, passphrase, &identity->key, &identity->key_size, err));
    return check_chain(identity, cert->name, err);
}

lr_status lr__identity_load(lr__identity *identity, const lr_identity *from, const char *where,
                            lr_error *err)
{
    bool files = from->cert_file || from->key_file;
    const char *whose = *where != '\0' ? where : "lr_context_options: ";
    char cert_name[64], key_name[64];
    lr__input cert = {0}, key = {0};
    lr_status status;

    LR_DCHECK(!identity->chain && !identity->key);
    if (files == (from->cert.len != 0 || from->key.len != 0))
        return lr__fail(err, LR_EOPTION,
                        "%sexactly one of cert_file and key_file, or cert and key is needed",
                        whose);
    if (files && !(from->cert_file && from->key_file))
        return lr__fail(err, LR_EOPTION, "%scert_file and key_file go together", whose);
    if (!files && !(from->cert.len != 0 && from->key.len != 0))
        return lr__fail(err, LR_EOPTION, "%scert and key go together", whose);
    (void)snprintf(cert_name, sizeof(cert_name), "%scert", where);
    (void)snprintf(key_name, sizeof(key_name), "%skey", where);
    status = lr__input_open(&cert, cert_name, from->cert_file, from->cert, LR__PEM_FILE_MAX, err);
    if (status == LR_OK)
        status = lr__input_open(&key, key_name, from->key_file, from->key, LR__PEM_FILE_MAX, err);
    if (status == LR_OK)
        status = check_key_file(from->key_file, err);
    if (status == LR_OK)
        status = load_pair(identity, &cert, &key, from->passphrase, err);
    lr__input_close(&cert, true); /* keys may stand in it too */
    lr__input_close(&key, true);
    return status;
}

lr_status lr__identity_load_pkcs12(lr__identity *identity, const char *file, lr_slice bytes,
                                   const char *passphrase, lr__der_list *others, lr_error *err)
{
    lr__input input = {0};
    lr_status status = lr__input_open(&input, "pkcs12", file, bytes, LR__PEM_FILE_MAX, err);

    if (status == LR_OK)
        status = check_key_file(file, err);
    if (status == LR_OK)
        status = lr__pkcs12_load(identity, &input, passphrase, others, err);
    if (status == LR_OK)
        status = check_chain(identity, input.name, err);
    lr__input_close(&input, true);
    return status;
}

/* Moves the chain to a longer block. */
static lr_status append(lr__identity *identity, lr_slice der, lr_error *err)
{
    lr_slice last = identity->certificates[identity->certificate_count - 1];
    size_t used = (size_t)(last.bytes + last.len - identity->chain), at = 0;
    uint8_t *chain = lr__realloc(identity->chain, used + der.len);

    if (!chain)
        return lr__fail(err, LR_ENOMEM, "certificate chain: out of memory");
    identity->chain = chain;
    memcpy(chain + used, der.bytes, der.len);
    identity->certificates[identity->certificate_count++].len = der.len;
    for (uint32_t i = 0; i < identity->certificate_count; i++) {
        identity->certificates[i].bytes = chain + at;
        at += identity->certificates[i].len;
    }
    return LR_OK;
}

lr_status lr__identity_complete(lr__identity *identity, const lr__trust *trust, lr_error *err)
{
    while (identity->certificate_count < LR__CHAIN_MAX) {
        const lr__authority *issuer;
        lr__x509_rules rules;
        uint32_t at = 0;
        lr__x509 last;

        if (!lr__x509_parse(identity->certificates[identity->certificate_count - 1], &last) ||
            !lr__x509_rules_read(&last, &rules) || lr__same_bytes(last.subject, last.issuer))
            return LR_OK;
        issuer = lr__trust_issuer(trust, &last, rules.issuer_key_id, &at);
        if (!issuer || lr__same_bytes(issuer->x509.subject, issuer->x509.issuer))
            return LR_OK;
        LR_TRY(append(identity, issuer->der, err));
    }
    return LR_OK;
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
    lr__secret_free(identity->key);
    memset(identity, 0, sizeof(*identity));
}
