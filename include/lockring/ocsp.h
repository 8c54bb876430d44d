/* SPDX-License-Identifier: MIT */
/* lockring/ocsp.h: asking an OCSP responder about a certificate, and judging its answer (RFC 6960).
 *
 * Bytes in and bytes out: whoever uses this carries the request to the responder, whose address
 * lr_certificate_ocsp_uri() tells, and staples what held: lr_ocsp_answer() of lockring/hello.h.
 *
 * Threads  any.
 * Memory   slices are borrowed until the call returns, and nothing is kept: what one response said
 *          of somebody's key is forgotten with the call.
 * Errors   err says in one line why a response is refused. */
#ifndef LOCKRING_OCSP_H
#define LOCKRING_OCSP_H

#include <lockring/base.h> /* lr_status, lr_error, lr_slice */

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LR_OCSP_REQUEST_MAX =
        160,             /* bytes of a request, with the longest serial number that is taken */
    LR_OCSP_SKEW_S = 300 /* so far ahead of ours may a responder's clock be */
};

/* Writes the request for one certificate: one SHA-1 CertID, as responders expect it (RFC 5019
 * 2.1.1), no nonce, not signed. Both in DER. LR_ECERTIFICATE: one of them is malformed, or the
 * issuer does not bear the name of the certificate's. */
LR_API LR_ANY LR_NODISCARD lr_status lr_ocsp_request(lr_slice certificate, lr_slice issuer,
                                                     uint8_t out[LR_OCSP_REQUEST_MAX], size_t *len,
                                                     lr_error *err);

/* What the responder says of the certificate. */
typedef enum lr_ocsp_state {
    LR_OCSP_NONE = 0, /* nothing that could be believed */
    LR_OCSP_GOOD = 1,
    LR_OCSP_REVOKED = 2,
    LR_OCSP_UNKNOWN = 3
} lr_ocsp_state;

/* All times in seconds since 1970. */
typedef struct lr_ocsp_verdict {
    lr_ocsp_state state;
    int64_t produced_at, this_update;
    int64_t next_update; /* 0: it does not say until when it counts */
    int64_t revoked_at;  /* 0: it is not revoked */
} lr_ocsp_verdict;

/* Judges a response (DER) about the certificate of that issuer. LR_OK: it is signed by the issuer,
 * or by a responder whom the issuer made one (a certificate for OCSP signing, RFC 6960 4.2.2.2); it
 * is about this certificate; it says good; and now is not before its thisUpdate, by more than
 * LR_OCSP_SKEW_S, nor behind its nextUpdate. LR_EOCSP: one of these is not so. *out, if not null,
 * says what was believed all the same: its state is LR_OCSP_NONE unless signature and certificate
 * are right, whatever the state and the times are.
 * Not taken are signatures over MD5 or SHA-1, and RSASSA-PSS. */
LR_API LR_ANY LR_NODISCARD lr_status lr_ocsp_check(lr_slice response, lr_slice certificate,
                                                   lr_slice issuer, int64_t now,
                                                   lr_ocsp_verdict *out, lr_error *err);

/* When to ask again for what holds until next_update: in the middle of that time, or of what is
 * left of it; one hour from now on where it does not say. At least ten seconds from now. */
LR_API LR_ANY int64_t lr_ocsp_refresh_at(const lr_ocsp_verdict *verdict, int64_t now);
/* The last second in which it may be stapled: its nextUpdate, or a day from its thisUpdate on. */
LR_API LR_ANY int64_t lr_ocsp_expires_at(const lr_ocsp_verdict *verdict);

#ifdef __cplusplus
}
#endif

#endif
