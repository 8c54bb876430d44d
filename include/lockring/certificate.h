/* SPDX-License-Identifier: MIT */
/* lockring/certificate.h: what an X.509 certificate says, read from its DER (S80).
 *
 * Whatever is said here was said by whoever made the certificate. That it holds is another matter:
 * lr_conn_is_authorized().
 *
 * Threads  any.
 * Memory   nothing is allocated, but by lr_certificate_load(). The slices of an lr_certificate
 * point into the DER, which must outlive it. Texts are UTF-8 and terminated. Functions that
 * write one return its whole length, as snprintf() does: it was cut if that is not less than cap;
 * cap may be 0. Bytes that could be taken for something else are escaped as RFC 4514 2.4 has it: no
 * name can look like two. */
#ifndef LOCKRING_CERTIFICATE_H
#define LOCKRING_CERTIFICATE_H

#include <lockring/base.h> /* lr_slice */
#include <lockring/bytes.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A certificate of a file: PEM, several, or one in DER; index: from 0. *out gets one reference to
 * its DER, or null with LR_OK where there are not so many. name stands for the file in err.
 * LR_ECERTIFICATE: there is none at all, or one that is malformed; LR_ENOMEM. */
LR_API LR_ANY LR_NODISCARD lr_status lr_certificate_load(lr_slice file, const char *name,
                                                         uint32_t index, lr_bytes **out,
                                                         lr_error *err);

typedef struct lr_certificate {
    lr_slice der;
    lr_slice subject, issuer;                   /* names in DER */
    lr_slice serial;                            /* the bytes of the number */
    int64_t valid_from, valid_to;               /* seconds since 1970 */
    uint32_t version;                           /* 1..3 */
    uint32_t key_bits;                          /* 0: unknown */
    const char *key_type;                       /* "RSA", "EC", "Ed25519"; "": another; static */
    const char *key_curve;                      /* "P-256"; "" where there is none; static */
    lr_slice public_key;                        /* SubjectPublicKeyInfo in DER */
    bool is_authority;                          /* basicConstraints */
    lr_slice alt_names, ext_usage, info_access; /* for the functions below */
} lr_certificate;

/* False: it is none, or malformed; *out is not to be used then. */
LR_API LR_ANY LR_NODISCARD bool lr_certificate_parse(lr_slice der, lr_certificate *out);

/* "CN=client,O=lockring,C=DE", the most significant name last (RFC 4514). */
LR_API LR_ANY size_t lr_certificate_subject(const lr_certificate *certificate, char *out,
                                            size_t cap);
LR_API LR_ANY size_t lr_certificate_issuer(const lr_certificate *certificate, char *out,
                                           size_t cap);

/* The value of one attribute of such a name (certificate.subject, .issuer), not escaped: "CN", "O",
 * "OU", "C", "L", "ST", "emailAddress" ... or "2.5.4.3"; index: from 0, in the order of the DER. 0
 * and "": there is none, or it is no text or has control characters in it. */
LR_API LR_ANY size_t lr_certificate_attribute(lr_slice name, const char *attribute, uint32_t index,
                                              char *out, size_t cap);

/* "1007", hexadecimal digits in upper case. */
LR_API LR_ANY size_t lr_certificate_serial(const lr_certificate *certificate, char *out,
                                           size_t cap);

typedef enum lr_digest { LR_DIGEST_SHA1 = 1, LR_DIGEST_SHA256 = 2, LR_DIGEST_SHA512 = 3 } lr_digest;

/* "5E:2F:...", of the whole certificate. 192 bytes are enough for each. */
LR_API LR_ANY size_t lr_certificate_fingerprint(const lr_certificate *certificate, lr_digest digest,
                                                char *out, size_t cap);

/* "Jan  1 00:00:00 2020 GMT", of valid_from and valid_to. */
LR_API LR_ANY size_t lr_certificate_time_text(int64_t seconds, char *out, size_t cap);

/* RFC 5280 4.2.1.6, by their numbers there. */
typedef enum lr_alt_name_kind {
    LR_ALT_NAME_OTHER = 0,
    LR_ALT_NAME_EMAIL = 1,
    LR_ALT_NAME_DNS = 2,
    LR_ALT_NAME_DIRECTORY = 4,
    LR_ALT_NAME_URI = 6,
    LR_ALT_NAME_IP = 7,
    LR_ALT_NAME_ID = 8
} lr_alt_name_kind;

typedef struct lr_alt_name {
    lr_alt_name_kind kind;
    lr_slice value; /* as it stands in the DER; an address has 4 or 16 bytes */
} lr_alt_name;

/* The index-th, from 0. False: there are not so many. */
LR_API LR_ANY bool lr_certificate_alt_name(const lr_certificate *certificate, uint32_t index,
                                           lr_alt_name *out);
/* "DNS:localhost", "IP:127.0.0.1", "email:a@b", "URI:urn:x", "DirName:CN=x", "OTHER:" + hex. */
LR_API LR_ANY size_t lr_alt_name_text(const lr_alt_name *name, char *out, size_t cap);

/* The index-th purpose as "1.3.6.1.5.5.7.3.2" (clientAuth). 0 and "": there are not so many. */
LR_API LR_ANY size_t lr_certificate_ext_usage(const lr_certificate *certificate, uint32_t index,
                                              char *out, size_t cap);

/* Where to ask by OCSP; empty: it does not say (most public authorities stopped that in 2025). */
LR_API LR_ANY lr_slice lr_certificate_ocsp_uri(const lr_certificate *certificate);

#ifdef __cplusplus
}
#endif

#endif
