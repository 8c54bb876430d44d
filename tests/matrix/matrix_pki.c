/* SPDX-License-Identifier: MIT */
#include "matrix_pki.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const matrix_who_names[WHO_COUNT] = {"nobody", "known", "stranger",
                                                 "deep",   "small", "brief"};

enum { DAY_S = 86400, LONG_S = 400 * DAY_S, PEM_SIZE = 4096 };

typedef struct authority {
    X509 *cert;
    EVP_PKEY *key;
} authority;

typedef struct text {
    char bytes[PEM_SIZE];
    size_t len;
} text;

static struct {
    bool made;
    time_t now;
    authority a, b, inter;
    X509 *certs[WHO_COUNT];
    EVP_PKEY *key, *small_key;
    text trust[TRUST_COUNT], crls[CRL_COUNT];
    long serial;
} pki;

/* Nothing here depends on the library, so a failure is one of the machine's. */
static void must(bool ok)
{
    if (!ok)
        abort();
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(extension && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* issuer null: it signs itself, as an authority. */
static X509 *issue(const char *name, EVP_PKEY *key, const authority *issuer, bool ca, long until_s)
{
    X509 *cert = X509_new();
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;

    must(cert != NULL && X509_set_version(cert, 2) == 1 &&
         ASN1_INTEGER_set(X509_get_serialNumber(cert), ++pki.serial) == 1 &&
         X509_time_adj_ex(X509_getm_notBefore(cert), -30, 0, &pki.now) != NULL &&
         X509_time_adj_ex(X509_getm_notAfter(cert), 0, until_s, &pki.now) != NULL &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                    -1, 0) == 1 &&
         X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer->cert) : subject) == 1 &&
         X509_set_pubkey(cert, key) == 1);
    add_extension(cert, cert, NID_basic_constraints, ca ? "critical,CA:TRUE" : "CA:FALSE");
    add_extension(cert, cert, NID_key_usage,
                  ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    if (ca)
        add_extension(cert, cert, NID_subject_key_identifier, "hash");
    else
        add_extension(cert, cert, NID_ext_key_usage, "clientAuth");
    must(X509_sign(cert, issuer ? issuer->key : key, EVP_sha256()) > 0);
    return cert;
}

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    must(key != NULL);
    return key;
}

static void append(text *to, BIO *from)
{
    int len = BIO_read(from, to->bytes + to->len, (int)(PEM_SIZE - to->len));

    must(len > 0 && (size_t)len < PEM_SIZE - to->len);
    to->len += (size_t)len;
    BIO_free(from);
}

static void append_cert(text *to, X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());

    must(bio && PEM_write_bio_X509(bio, cert) == 1);
    append(to, bio);
}

static void revoke(X509_CRL *crl, const X509 *cert, const ASN1_TIME *when)
{
    X509_REVOKED *entry = X509_REVOKED_new();

    must(entry &&
         X509_REVOKED_set_serialNumber(
             entry, (ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(cert)) == 1 &&
         X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *)(uintptr_t)when) == 1 &&
         X509_CRL_add0_revoked(crl, entry) == 1);
}

static void make_crl(matrix_crl which, const X509 *revoked, long until_s)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = X509_time_adj_ex(NULL, -1, 0, &pki.now);
    ASN1_TIME *until = X509_time_adj_ex(NULL, 0, until_s, &pki.now);
    BIO *bio = BIO_new(BIO_s_mem());

    must(crl && from && until && bio && X509_CRL_set_version(crl, 1) == 1 &&
         X509_CRL_set_issuer_name(crl, X509_get_subject_name(pki.a.cert)) == 1 &&
         X509_CRL_set1_lastUpdate(crl, from) == 1 && X509_CRL_set1_nextUpdate(crl, until) == 1);
    if (revoked)
        revoke(crl, revoked, from);
    must(X509_CRL_sign(crl, pki.a.key, EVP_sha256()) > 0 && PEM_write_bio_X509_CRL(bio, crl) == 1);
    append(&pki.crls[which], bio);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    X509_CRL_free(crl);
}

void matrix_pki_make(void)
{
    if (pki.made)
        return;
    pki.made = true;
    pki.now = time(NULL);
    pki.a.key = new_key();
    pki.b.key = new_key();
    pki.inter.key = new_key();
    pki.key = new_key();
    pki.small_key = EVP_RSA_gen(1024);
    must(pki.small_key != NULL);
    pki.a.cert = issue("matrix root A", pki.a.key, NULL, true, LONG_S);
    pki.b.cert = issue("matrix root B", pki.b.key, NULL, true, LONG_S);
    pki.inter.cert = issue("matrix intermediate", pki.inter.key, &pki.a, true, LONG_S);
    pki.certs[WHO_KNOWN] = issue("known", pki.key, &pki.a, false, LONG_S);
    pki.certs[WHO_STRANGER] = issue("stranger", pki.key, &pki.b, false, LONG_S);
    pki.certs[WHO_DEEP] = issue("deep", pki.key, &pki.inter, false, LONG_S);
    pki.certs[WHO_SMALL] = issue("small", pki.small_key, &pki.a, false, LONG_S);
    pki.certs[WHO_BRIEF] = issue("brief", pki.key, &pki.a, false, MATRIX_BRIEF_S);
    append_cert(&pki.trust[TRUST_A], pki.a.cert);
    append_cert(&pki.trust[TRUST_B], pki.b.cert);
    append_cert(&pki.trust[TRUST_AB], pki.a.cert);
    append_cert(&pki.trust[TRUST_AB], pki.b.cert);
    make_crl(CRL_EMPTY, NULL, LONG_S);
    make_crl(CRL_REVOKING, pki.certs[WHO_KNOWN], LONG_S);
    make_crl(CRL_BRIEF, NULL, MATRIX_BRIEF_S);
}

lr_slice matrix_pki_trust(matrix_trust trust)
{
    return lr_slice_of(pki.trust[trust].bytes, pki.trust[trust].len);
}

lr_slice matrix_pki_crl(matrix_crl crl)
{
    return lr_slice_of(pki.crls[crl].bytes, pki.crls[crl].len);
}

bool matrix_pki_use(SSL_CTX *ctx, matrix_who who)
{
    if (who == WHO_NOBODY)
        return true;
    return SSL_CTX_use_certificate(ctx, pki.certs[who]) == 1 &&
           SSL_CTX_use_PrivateKey(ctx, who == WHO_SMALL ? pki.small_key : pki.key) == 1 &&
           (who != WHO_DEEP || SSL_CTX_add1_chain_cert(ctx, pki.inter.cert) == 1);
}

void matrix_pki_free(void)
{
    authority *all[] = {&pki.a, &pki.b, &pki.inter};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        X509_free(all[i]->cert);
        EVP_PKEY_free(all[i]->key);
    }
    for (int i = 0; i < WHO_COUNT; i++)
        X509_free(pki.certs[i]);
    EVP_PKEY_free(pki.key);
    EVP_PKEY_free(pki.small_key);
    memset(&pki, 0, sizeof(pki));
}
