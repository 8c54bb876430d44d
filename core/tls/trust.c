/* SPDX-License-Identifier: MIT */
/* core/tls/trust.c: reading authorities and revocation lists.
 *
 * Whatever is in `ca` is trusted as it stands, an intermediate too: nothing above it is asked for.
 * Files of the public bundle are read leniently: what cannot be parsed there is left out. */
#include "core/tls/trust.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/wolf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wolfssl/wolfcrypt/hash.h>

enum {
    CRL_FILE_MAX = 16 << 20, /* what core/tls/x509.c takes for a length */
    AUTHORITIES_MAX = 4096
};

static const lr__pem_kind of_certificate = {
    "certificate", {"CERTIFICATE", "X509 CERTIFICATE"}, LR_ECERTIFICATE};
static const lr__pem_kind of_crl = {"revocation list", {"X509 CRL"}, LR_EOPTION};

/* Where the distributions keep it: Debian, Fedora, openSUSE, Alpine, FreeBSD's port. */
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
};

static lr_status add_certificates(lr__trust *trust, const char *option, const char *file,
                                  lr_slice bytes, lr_error *err)
{
    lr__input source;
    lr_status status;

    if (!file && bytes.len == 0)
        return LR_OK;
    LR_TRY(lr__input_open(&source, option, file, bytes, LR__PEM_FILE_MAX, err));
    status = lr__der_list_add(&trust->certificates, &source, &of_certificate, err);
    lr__input_close(&source, false);
    return status;
}

/* SSL_CERT_FILE, as OpenSSL's programs have it, and else the first that can be read. */
static lr_status add_system(lr__trust *trust, lr_error *err)
{
    const char *told = secure_getenv("SSL_CERT_FILE");

    if (told && *told != '\0')
        return add_certificates(trust, "ca_system", told, lr_slice_of(NULL, 0), err);
    for (size_t i = 0; i < LR_ARRAY_COUNT(bundles); i++) {
        if (access(bundles[i], R_OK) == 0)
            return add_certificates(trust, "ca_system", bundles[i], lr_slice_of(NULL, 0), err);
    }
    return lr__fail(err, LR_EFILE, "ca_system: no bundle of public authorities was found (%s ...)",
                    bundles[0]);
}

/* False: it is no authority's. */
static bool read_authority(lr_slice der, lr__authority *out)
{
    lr__x509_rules rules;

    out->der = der;
    if (!lr__x509_parse(der, &out->x509) || !lr__x509_rules_read(&out->x509, &rules))
        return false;
    out->key_id = rules.key_id;
    return wc_Sha256Hash(der.bytes, (word32)der.len, out->digest) == 0;
}

static bool is_there(const lr__trust *trust, const uint8_t digest[32])
{
    for (uint32_t i = 0; i < trust->authority_count; i++) {
        if (memcmp(trust->authorities[i].digest, digest, 32) == 0)
            return true;
    }
    return false;
}

/* From is the first certificate that is not of the caller's choice, and may be left out. */
static lr_status read_authorities(lr__trust *trust, uint32_t from, const char *name, lr_error *err)
{
    uint32_t count = trust->certificates.count;

    if (count == 0)
        return LR_OK;
    if (count > AUTHORITIES_MAX)
        return lr__fail(err, LR_EOPTION, "%s: more than %d certificates", name, AUTHORITIES_MAX);
    trust->authorities = lr__alloc_zero(count, sizeof(*trust->authorities));
    if (!trust->authorities)
        return lr__fail(err, LR_ENOMEM, "%s: out of memory", name);
    for (uint32_t i = 0; i < count; i++) {
        const lr__der *item = &trust->certificates.items[i];
        lr__authority *next = &trust->authorities[trust->authority_count];

        if (!read_authority(lr_slice_of(item->bytes, item->size), next)) {
            if (i < from)
                return lr__fail(err, LR_ECERTIFICATE, "%s: line %u: certificate %u is malformed",
                                name, item->line, i + 1);
            continue;
        }
        if (!is_there(trust, next->digest))
            trust->authority_count++;
    }
    return LR_OK;
}

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static lr_status digest_all(lr__trust *trust, lr_error *err)
{
    uint8_t *all;
    int ret;

    if (trust->authority_count == 0)
        return LR_OK;
    all = lr__alloc_zero(trust->authority_count, 32);
    if (!all)
        return lr__fail(err, LR_ENOMEM, "ca: out of memory");
    for (uint32_t i = 0; i < trust->authority_count; i++)
        memcpy(all + (size_t)i * 32, trust->authorities[i].digest, 32);
    qsort(all, trust->authority_count, 32, compare_digests);
    ret = wc_Sha256Hash(all, trust->authority_count * 32, trust->digest);
    lr__free(all);
    return ret == 0 ? LR_OK : lr__tls_fail(err, LR_ETLS, ret, "ca: SHA-256");
}

static lr_status add_crls(lr__trust *trust, const char *option, const char *file, lr_slice bytes,
                          lr_error *err)
{
    uint32_t before = trust->lists.count;
    lr__input source;
    lr_status status;

    LR_TRY(lr__input_open(&source, option, file, bytes, CRL_FILE_MAX, err));
    status = lr__der_list_add(&trust->lists, &source, &of_crl, err);
    for (uint32_t i = before; status == LR_OK && i < trust->lists.count; i++) {
        const lr__der *item = &trust->lists.items[i];
        const char *what;
        lr__crl crl;
        bool good = lr__crl_parse(lr_slice_of(item->bytes, item->size), &crl, &what);

        lr__crl_fini(&crl);
        if (!good && !what)
            status = lr__fail(err, LR_ENOMEM, "%s: out of memory", source.name);
        else if (!good)
            status = lr__fail(err, LR_EOPTION, "%.80s: line %u: %s", source.name, item->line, what);
    }
    lr__input_close(&source, false);
    return status;
}

static lr_status digest_lists(lr__trust *trust, lr_error *err)
{
    wc_Sha256 sha256;
    int ret = wc_InitSha256(&sha256);

    for (uint32_t i = 0; ret == 0 && i < trust->lists.count; i++)
        ret = wc_Sha256Update(&sha256, trust->lists.items[i].bytes,
                              (word32)trust->lists.items[i].size);
    if (ret == 0)
        ret = wc_Sha256Final(&sha256, trust->lists_digest);
    return ret == 0 ? LR_OK : lr__tls_fail(err, LR_ETLS, ret, "crl_files: SHA-256");
}

static lr_status read_crls(lr__trust *trust, lr_error *err)
{
    uint32_t count = trust->lists.count;
    const char *what;

    if (count == 0)
        return LR_OK;
    trust->crls = lr__alloc_zero(count, sizeof(*trust->crls));
    if (!trust->crls)
        return lr__fail(err, LR_ENOMEM, "crl_files: out of memory");
    for (; trust->crl_count < count; trust->crl_count++) {
        const lr__der *item = &trust->lists.items[trust->crl_count];

        if (!lr__crl_parse(lr_slice_of(item->bytes, item->size), &trust->crls[trust->crl_count],
                           &what)) {
            lr__crl_fini(&trust->crls[trust->crl_count]);
            return lr__fail(err, LR_ENOMEM, "crl_files: out of memory");
        }
    }
    return digest_lists(trust, err);
}

lr_status lr__trust_load(lr__trust *trust, const lr_context_options *options, bool system,
                         lr_error *err)
{
    const char *name = options->ca_file ? options->ca_file : "ca";
    lr_slice none = {0};
    uint32_t chosen;

    LR_DCHECK(!trust->authorities && !trust->crls);
    if ((options->crl_file_count != 0 && !options->crl_files) ||
        (options->crl_count != 0 && !options->crls))
        return lr__fail(err, LR_EOPTION, "crl_files: null, but there is a count");
    LR_TRY(add_certificates(trust, "ca_file", options->ca_file, none, err));
    LR_TRY(add_certificates(trust, "ca", NULL, options->ca, err));
    chosen = trust->certificates.count;
    if (system)
        LR_TRY(add_system(trust, err));
    LR_TRY(read_authorities(trust, chosen, name, err));
    LR_TRY(digest_all(trust, err));
    for (uint32_t i = 0; i < options->crl_file_count; i++)
        LR_TRY(add_crls(trust, "crl_files", options->crl_files[i], none, err));
    for (uint32_t i = 0; i < options->crl_count; i++)
        LR_TRY(add_crls(trust, "crls", NULL, options->crls[i], err));
    return read_crls(trust, err);
}

void lr__trust_fini(lr__trust *trust)
{
    for (uint32_t i = 0; i < trust->crl_count; i++)
        lr__crl_fini(&trust->crls[i]);
    lr__free(trust->crls);
    lr__free(trust->authorities);
    lr__der_list_fini(&trust->certificates);
    lr__der_list_fini(&trust->lists);
    memset(trust, 0, sizeof(*trust));
}

const lr__authority *lr__trust_issuer(const lr__trust *trust, const lr__x509 *of,
                                      lr_slice issuer_key_id, uint32_t *at)
{
    while (*at < trust->authority_count) {
        const lr__authority *one = &trust->authorities[(*at)++];

        if (lr__same_bytes(one->x509.subject, of->issuer) &&
            (issuer_key_id.len == 0 || one->key_id.len == 0 ||
             lr__same_bytes(issuer_key_id, one->key_id)))
            return one;
    }
    return NULL;
}
