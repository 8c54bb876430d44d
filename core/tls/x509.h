/* SPDX-License-Identifier: MIT */
/* core/tls/x509.h: a small DER walk over a certificate (RFC 5280 4.1) and its extensions, without
 * an object of wolfSSL. Every length is checked against what holds it. Pure. */
#ifndef LR_CORE_TLS_X509_H
#define LR_CORE_TLS_X509_H

#include <lockring/base.h>

typedef enum lr__key_kind {
    LR__KEY_OTHER,
    LR__KEY_RSA, /* rsaEncryption */
    LR__KEY_P256,
    LR__KEY_P384,
    LR__KEY_P521,
    LR__KEY_ED25519
} lr__key_kind;

/* Slices point into the certificate; names with their SEQUENCE header. */
typedef struct lr__x509 {
    lr_slice serial, issuer, subject, public_key_info;
    int64_t not_before, not_after; /* seconds since 1970 */
    lr__key_kind key_kind;
    uint8_t version;     /* 1..3 */
    lr_slice signed_by;  /* content of the signature algorithm's identifier */
    lr_slice extensions; /* content of the SEQUENCE; empty: none */
} lr__x509;

/* False: not a certificate as RFC 5280 has it. */
bool lr__x509_parse(lr_slice der, lr__x509 *out);

const char *lr__key_kind_name(lr__key_kind kind); /* "RSA", "ECDSA P-256"; static */

/* Walks the extensions: *in is lr__x509.extensions to begin. False: no more, or malformed (then *in
 * is not empty). */
bool lr__x509_next_extension(lr_slice *in, lr_slice *id, bool *critical, lr_slice *value);

/* RFC 5280 4.2.1.3, the bits in their order. */
enum {
    LR__USAGE_DIGITAL_SIGNATURE = 1 << 0,
    LR__USAGE_KEY_AGREEMENT = 1 << 4,
    LR__USAGE_CERT_SIGN = 1 << 5,
    LR__USAGE_CRL_SIGN = 1 << 6
};

/* What the extensions say that decide about a chain. */
typedef struct lr__x509_rules {
    bool is_ca, has_usage, has_ext_usage;
    bool for_clients, for_servers; /* extended key usage, or any */
    bool has_name_constraints;
    int path_len;                               /* -1: not limited */
    unsigned usage;                             /* LR__USAGE_* */
    lr_slice key_id, issuer_key_id;             /* empty: none */
    lr_slice alt_names, ext_usage, info_access; /* content of their SEQUENCEs; empty: none */
} lr__x509_rules;

/* False: an extension is malformed, or there twice. */
bool lr__x509_rules_read(const lr__x509 *x509, lr__x509_rules *out);

/* Takes the element at the front of *in: its tag, its content, and (whole, if not null) the element
 * itself. False: *in does not begin with a whole element. */
bool lr__der_take(lr_slice *in, uint8_t *tag, lr_slice *content, lr_slice *whole);
/* The same for an element of one tag. */
bool lr__der_expect(lr_slice *in, uint8_t tag, lr_slice *content, lr_slice *whole);
/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 has them, in seconds since 1970. */
bool lr__der_time(lr_slice *in, int64_t *out);
bool lr__same_bytes(lr_slice a, lr_slice b);

#endif
