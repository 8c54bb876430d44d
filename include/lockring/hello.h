/* SPDX-License-Identifier: MIT */
/* lockring/hello.h: the hello gate: what a client asks for, and the hooks that decide about it.
 *
 * A complete ClientHello is parsed before any TLS object exists (B1). The hooks of the gate get an
 * ask: a value that may be copied, kept and answered from any thread, inside the hook or later.
 * Until then the connection is parked: nothing is received or sent, and the handshake timeout goes
 * on. Exactly one answer counts. From another thread LR_OK means that the answer is on its way; the
 * connection may be gone when it arrives, which changes nothing. LR_EGONE: the ask was answered
 * before, or cancelled because the connection ended (on_ask_cancelled tells), or is none.
 *
 * Threads  lr_hello getters: while on_hello runs. Answers: any thread until lr_workers_free().
 * Memory   an lr_hello and its slices end with the hook. Answers copy, or add a reference. */
#ifndef LOCKRING_HELLO_H
#define LOCKRING_HELLO_H

#include <lockring/base.h>
#include <lockring/bytes.h>
#include <lockring/context.h> /* lr_context, lr_tls_version */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lr_hello lr_hello;

LR_API LR_ANY lr_slice lr_hello_servername(const lr_hello *hello); /* lower case; empty: none */
/* The protocols of ALPN, in the client's order: *at is 0 to begin; false at their end. */
LR_API LR_ANY bool lr_hello_alpn_next(const lr_hello *hello, size_t *at, lr_slice *protocol);
LR_API LR_ANY bool lr_hello_offers_version(const lr_hello *hello, lr_tls_version version);
LR_API LR_ANY bool lr_hello_offers_group(const lr_hello *hello, uint16_t group);      /* IANA */
LR_API LR_ANY bool lr_hello_offers_cipher(const lr_hello *hello, uint16_t cipher);    /* IANA */
LR_API LR_ANY bool lr_hello_offers_signature(const lr_hello *hello, uint16_t scheme); /* IANA */
LR_API LR_ANY bool lr_hello_wants_ocsp(const lr_hello *hello); /* status_request */
LR_API LR_ANY bool lr_hello_has_ticket(const lr_hello *hello); /* of 1.2, or a PSK of 1.3 */
LR_API LR_ANY bool lr_hello_has_early_data(const lr_hello *hello);
LR_API LR_ANY lr_slice lr_hello_session_id(const lr_hello *hello); /* legacy_session_id */
LR_API LR_ANY lr_slice lr_hello_message(const lr_hello *hello);    /* whole, RFC 8446 4.1.2 */

/* Fingerprints, computed when called: what JA3 (MD5, 32 digits) and JA4 (as of TCP,
 * "t13d1516h2_8daaf6152771_e5627efa2ab1") make of the hello. A peer chooses what it sends: they
 * sort clients, and prove nothing. False, and an empty text: the TLS library failed. (B1) */
LR_API LR_ANY bool lr_hello_ja3(const lr_hello *hello, char out[33]);
LR_API LR_ANY bool lr_hello_ja4(const lr_hello *hello, char out[37]);

/* One generic ask, to compare with; the others are the same with the type of their answer. */
typedef struct lr_ask {
    uint64_t home, id;
} lr_ask;
typedef struct lr_hello_ask {
    lr_ask ask;
} lr_hello_ask; /* serve this client, and how? */
typedef struct lr_sni_ask {
    lr_ask ask;
} lr_sni_ask; /* which context for this name? */
typedef struct lr_ocsp_ask {
    lr_ask ask;
} lr_ocsp_ask; /* the OCSP response of this certificate? */
typedef struct lr_resume_ask {
    lr_ask ask;
} lr_resume_ask; /* the session of this id? */
typedef struct lr_store_ask {
    lr_ask ask;
} lr_store_ask; /* is this new session stored? */

/* The longest staple; OCSP responses have a few hundred bytes to a few thousand. The format ends at
 * 65,527 (RFC 8446 4.4.2), and what wolfSSL can send a little below. */
enum { LR_STAPLE_MAX = 32768 };

/* The longest value that on_new_session gives; without certificates of the client it has about 400
 * bytes. */
enum { LR_SESSION_VALUE_MAX = 9216 };

/* Zero: as if nobody had been asked. */
typedef struct lr_hello_decision {
    size_t size;         /* LR_HELLO_DECISION */
    lr_context *context; /* serve with this one; a reference is added. null: on_sni, the table of
                          * names, the server's own */
    lr_slice alpn;       /* select this protocol, one that the client offers (1..255 bytes, without
                          * comma and zero, copied); empty: the context's order decides */
    lr_bytes *staple; /* the OCSP response to staple, as in lr_ocsp_answer(); on_ocsp_request is not
                       * called then */
} lr_hello_decision;
#define LR_HELLO_DECISION .size = sizeof(lr_hello_decision)

/* result LR_OK: go on as decision says (null: as if nobody had been asked). Any other: the
 * connection ends with that reason, which on_client_error tells; the client gets the alert
 * unrecognized_name for LR_ENAME, no_application_protocol for LR_EALPN, internal_error for what is
 * of class system or usage, else access_denied. */
LR_API LR_ANY lr_status lr_hello_answer(lr_hello_ask ask, lr_status result,
                                        const lr_hello_decision *decision);
/* context null: the table of names, then the server's own (S126). */
LR_API LR_ANY lr_status lr_sni_answer(lr_sni_ask ask, lr_status result, lr_context *context);
/* staple: what the client gets, byte for byte (S26); a reference is added. Null or empty: nothing
 * is stapled (S27). LR_EINVAL, and the ask stays open: it is too long. */
LR_API LR_ANY lr_status lr_ocsp_answer(lr_ocsp_ask ask, lr_status result, lr_bytes *staple);
/* value: what on_new_session gave for this id; a reference is added. Null or empty: it is not
 * there, and the handshake is a full one (S34), as it is where the value does not open, or does not
 * hold any more for this client under today's policy. LR_EINVAL, and the ask stays open: it is too
 * long. A failure ends the connection (S35). */
LR_API LR_ANY lr_status lr_resume_answer(lr_resume_ask ask, lr_status result, lr_bytes *value);
/* The session is stored, or will not be: either way the connection goes on. A failure as result
 * ends the connection. */
LR_API LR_ANY lr_status lr_store_answer(lr_store_ask ask, lr_status result);

#ifdef __cplusplus
}
#endif

#endif
