/* SPDX-License-Identifier: MIT */
/* core/tls/engine.h: one TLS endpoint without sockets: feed bytes, take bytes, read, write, wants.
 *
 * Input is a slice that the caller holds; calls advance it past what was used. Output is appended
 * to a buffer of the caller's that never refuses (growing is the caller's bound to keep: it stops
 * feeding while output waits). One call of handshake or read takes at most one record, so that no
 * peer buys more than that per call. Server endpoints, with wolfSSL's handshake and records. */
#ifndef LR_CORE_TLS_ENGINE_H
#define LR_CORE_TLS_ENGINE_H

#include "core/base/buf.h"
#include "core/tls/context.h"
#include "core/tls/hello.h"

#include <lockring/bytes.h>

typedef struct lr__engine lr__engine;
struct lr__peer;
struct lr__sessions;

/* What the gate decided from the ClientHello, before any WOLFSSL exists. */
typedef struct lr__gate_choice {
    lr_slice alpn;          /* the protocol to select, in the context's memory; empty: none */
    lr_tls_version version; /* what will be negotiated */
    lr_bytes *staple;       /* the OCSP response to send; null: none. The engine adds a reference */
    uint16_t group;         /* the one group that wolfSSL may use; 0: DHE over a finite field */
    uint32_t identity;      /* index of the context's that the client can check */
    bool chacha_first;      /* the client prefers ChaCha20-Poly1305 */
    bool is_trial;          /* the client is our own: it has no certificate, and is not asked */
    bool early_data;        /* the client offers some, which is skipped */
    struct lr__sessions *sessions; /* the caller's, until lr__engine_end_sessions(); null: nothing
                                    * is resumed, and the client gets no ticket */
} lr__gate_choice;

/* Decides for a hello and a context; a refusal is told as a fault with its alert. Pure. */
lr_status lr__gate_decide(const lr__hello *hello, const lr_context *context,
                          lr__gate_choice *choice, lr__hello_fault *fault);
/* The same where the program has chosen the protocol (empty: it has not). */
lr_status lr__gate_decide_alpn(const lr__hello *hello, const lr_context *context, lr_slice alpn,
                               lr__gate_choice *choice, lr__hello_fault *fault);

/* out and pool must live as long as the engine. The replica must outlive it too. */
lr_status lr__engine_new(lr__replica *replica, const lr__gate_choice *choice, lr__buf *out,
                         lr__buf_pool *pool, lr__engine **engine, lr_error *err);
void lr__engine_free(lr__engine *engine); /* wipes; null is allowed */

/* LR_OK: done. LR_EAGAIN: more input is needed (or lr__engine_wants_hello()). Other: failed; an
 * alert is in the output, unless the peer sent one. */
lr_status lr__engine_handshake(lr__engine *engine, lr_slice *in, lr_error *err);

/* A HelloRetryRequest went out: the next ClientHello belongs to the gate first. True until
 * lr__engine_hello_passed(). */
bool lr__engine_wants_hello(const lr__engine *engine);
void lr__engine_hello_passed(lr__engine *engine);

/* Opens at most one record into out (cap >= 16384). LR_OK: *len bytes, 0 for a record without
 * application data; LR_EAGAIN: *in is used up; LR_ECLOSED: close_notify; other: failed. */
lr_status lr__engine_read(lr__engine *engine, lr_slice *in, uint8_t *out, size_t cap, size_t *len,
                          lr_error *err);

/* Did the last read take a KeyUpdate? */
bool lr__engine_saw_key_update(const lr__engine *engine);

/* In TLS 1.2, where the context allows it, a client may begin a handshake anew; data goes on both
 * ways meanwhile, as it does while a client is asked for its certificate. Each is counted at its
 * start, before wolfSSL has any of it: the one above the limit fails the read that finds it with
 * LR_ERENEGOTIATION. */
typedef enum lr__renegotiation {
    LR__RENEGOTIATION_NONE,
    LR__RENEGOTIATION_BEGUN,
    LR__RENEGOTIATION_DONE /* until lr__engine_end_renegotiation() */
} lr__renegotiation;

/* The clock of the limit, monotonic; must live as long as the engine. Without it the
 * first one is one too many. */
void lr__engine_set_clock(lr__engine *engine, const uint64_t *now_ns);
lr__renegotiation lr__engine_renegotiation(const lr__engine *engine); /* after a read */
/* DONE: what the client has shown of itself is *peer's, as by lr__engine_take_peer(). */
lr_status lr__engine_end_renegotiation(lr__engine *engine, struct lr__peer **peer, lr_error *err);

/* Asks an established connection for the client's certificate: in TLS 1.3 by a CertificateRequest,
 * in TLS 1.2 by a renegotiation. LR_OK: it has BEGUN, and ends as above. LR_EOPTION, LR_EAGAIN,
 * LR_ESTATE, LR_ENOTOFFERED: nothing was done. Other: failed. reject: as reject_unauthorized of a
 * context. */
lr_status lr__engine_request_cert(lr__engine *engine, bool reject, lr_error *err);

/* TLS 1.3: new keys for what is written, and the peer is asked for its own unless it owes an answer
 * already. LR_ESTATE: TLS 1.2. */
lr_status lr__engine_update_keys(lr__engine *engine, lr_error *err);
bool lr__engine_saw_key_answer(const lr__engine *engine); /* by the last read */

/* Seals bytes (1..lr__engine_fragment_max()) as one record. */
lr_status lr__engine_write(lr__engine *engine, lr_slice bytes, lr_error *err);
uint32_t lr__engine_fragment_max(const lr__engine *engine); /* 16384, or what the peer asked for */

void lr__engine_end(lr__engine *engine);              /* close_notify, once */
void lr__engine_alert(lr__engine *engine, int alert); /* a fatal alert under the current keys */

/* What was agreed; names live for ever. name is copied to name_out (254 bytes). */
typedef struct lr__engine_facts {
    lr_tls_version version;
    uint16_t suite, group;
    bool resumed;
} lr__engine_facts;
void lr__engine_read_facts(lr__engine *engine, lr__engine_facts *facts);

/* After the handshake, once: what the peer showed, the caller's now; of a resumed one what its full
 * handshake found. Null: it was not asked, or, where it was, there is no memory. */
struct lr__peer *lr__engine_take_peer(lr__engine *engine);

/* The handshake is over, and with it the engine's use of lr__gate_choice.sessions. */
void lr__engine_end_sessions(lr__engine *engine);

/* After the handshake: does wolfSSL's view of name, protocol and version equal the gate's? */
bool lr__engine_agrees(lr__engine *engine, const lr__gate_choice *choice, lr_slice servername);

/* For replica.c: the I/O callbacks of every connection. */
struct WOLFSSL_CTX;
bool lr__engine_set_io(struct WOLFSSL_CTX *ctx); /* false: no memory */
/* For session_wolf.c: those of the connection's handshake; null: none, or it is over. */
struct WOLFSSL;
struct lr__sessions *lr__engine_sessions(struct WOLFSSL *ssl);
void lr__engine_note_ticket(struct WOLFSSL *ssl); /* made in a renegotiation */

/* Appends a plain alert record to out, for peers that no WOLFSSL was made for. */
bool lr__alert_plain(lr__buf *out, lr__buf_pool *pool, int alert);

#endif
