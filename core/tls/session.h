/* SPDX-License-Identifier: MIT */
/* core/tls/session.h: sessions: how one is sealed into a ticket or for a store, when it may be
 * resumed, and what a handshake has to do with them.
 *
 * What is sealed is wolfSSL's session and, with it, what lockring must know of it: who the peer was
 * and until when that holds, which name and protocol it is for, when it began. The associated data
 * is the kind, the TLS library's version and the policy of the context (core/tls/policy.c); of a
 * stored session its id too, so that a store cannot give one for another. So wolfSSL parses nothing
 * that was not sealed here, and a session is never resumed under a policy that its full handshake
 * did not pass.
 *
 * Ticket, as wolfSSL puts it on the wire, in the places that it has for it (core/tls/keys.h):
 *     key name 16 | salt 16 | length 2 | wolfSSL's, then the note, sealed | tag and commitment 32
 * Stored:
 *     key name 16 | salt 16 | note, wolfSSL's, then the peer's certificates, sealed | 32
 *
 * Belongs to one worker. */
#ifndef LR_CORE_TLS_SESSION_H
#define LR_CORE_TLS_SESSION_H

#include "core/tls/context.h"
#include "core/tls/hello.h"
#include "core/tls/keys.h"
#include "core/tls/peer.h"

#include <lockring/bytes.h>

enum {
    LR__SESSION_ID = 32,          /* of a stored one */
    LR__SESSION_WOLF_MAX = 512,   /* of wolfSSL's own */
    LR__SESSION_CHAIN_MAX = 8192, /* of certificates in a stored one; above it only a digest */
    LR__TICKET_MAX = 1024,        /* a longer one is not ours */
    /* One session may be resumed so many times in a row. wolfSSL 5.9.2 counts the nonces of tickets
     * on from one resumption to the next, in one byte, and fails the handshake at its end
     * (src/tls13.c, SendTls13NewSessionTicket()). */
    LR__RESUMPTIONS_MAX = 200
};

typedef enum lr__session_kind {
    LR__SESSION_TICKET = 'T',
    LR__SESSION_STORED = 'S'
} lr__session_kind;

/* What the full handshake found out about its client. */
typedef enum lr__session_peer {
    LR__PEER_NOT_ASKED,
    LR__PEER_NONE, /* asked, and it has no certificate */
    LR__PEER_AUTHORIZED,
    LR__PEER_UNAUTHORIZED /* its certificate did not hold */
} lr__session_peer;

/* One that was opened. */
typedef struct lr__session {
    lr__session_kind kind;
    uint8_t handle[LR__SEAL_MAC]; /* of a ticket its mac, of a stored one its id */
    bool is_key_current;          /* a ticket under an older key is renewed */
    lr__session_peer peer;
    uint8_t resumptions;     /* since the full handshake */
    int64_t born_s, until_s; /* of the full handshake; until when the peer's certificate holds */
    uint8_t leaf[32];        /* SHA-256 of the peer's certificate */
    lr__peer *judged;        /* its certificates as they are judged now; null: not here */
    lr_slice wolf;           /* wolfSSL's own */
    size_t size;
    uint8_t bytes[]; /* holds both */
} lr__session;

typedef struct lr__stored_session {
    uint8_t id[LR__SESSION_ID];
    lr_bytes *value; /* a reference */
} lr__stored_session;

/* What one handshake has to do with sessions; a heap block of the engine's. Without one the client
 * gets no ticket and resumes nothing. */
typedef struct lr__sessions {
    const lr__key_set *keys; /* pinned for as long as this lives; null: none */
    const lr_context *context;
    lr__session *offered; /* the one to resume, or null */
    uint8_t binding[16];  /* of this handshake */
    bool tickets;         /* the client may get them */
    bool stored;          /* new sessions are for the program's store */
    bool early_data;      /* the client offers some: it is skipped, and no ticket promises any */
    bool resumed;         /* the offered one is in use */
    const lr__asking *asking; /* the peer of this handshake; null: not asked, or resumed */
    bool ticket_made;         /* so that nothing is to be stored */
    bool failed;              /* a ticket could not be sealed */
    uint32_t made_count;
    lr__stored_session made[LR__SESSIONS_MAX];
} lr__sessions;

lr__sessions *lr__sessions_new(const lr_context *context, const lr__key_set *keys); /* or null */
void lr__sessions_free(lr__sessions *sessions); /* wipes; null is allowed */

/* Of this server name (canonical) and protocol. False: no memory. */
bool lr__session_bind(lr_slice name, lr_slice alpn, uint8_t binding[16]);

/* Why a session is not resumed; all but the first are full handshakes. */
typedef enum lr__session_verdict {
    LR__SESSION_GOOD,
    LR__SESSION_FOREIGN,     /* it does not look like one of ours */
    LR__SESSION_UNKNOWN_KEY, /* sealed under a key that is not there, or not any more */
    LR__SESSION_FORGED,      /* does not open: altered, or of another policy */
    LR__SESSION_UNFIT,       /* opens, but for another name, too old, or its peer holds no more */
    LR__SESSION_NO_MEMORY
} lr__session_verdict;

/* Opens what a client presents as a ticket, or what the program's store gave for an id
 * (LR__SESSION_ID bytes), and judges by today's policy and clock whether a handshake of that
 * version may resume it. GOOD: *out is the caller's, for lr__sessions.offered. */
lr__session_verdict lr__session_open_ticket(const lr__sessions *sessions, lr_tls_version version,
                                            lr_slice wire, uint64_t now_ns, lr__session **out);
lr__session_verdict lr__session_open_stored(const lr__sessions *sessions, lr__replica *replica,
                                            lr_tls_version version, lr_slice id, lr_slice value,
                                            uint64_t now_ns, lr__session **out);
void lr__session_free(lr__session *session); /* wipes; null is allowed */

/* Who the client of a resumed connection is, the caller's now; null: no memory. Only where it was
 * asked (peer is not LR__PEER_NOT_ASKED). */
lr__peer *lr__session_take_peer(lr__session *session);

/* For replica.c and engine.c: wolfSSL's side (session_wolf.c). */
struct WOLFSSL_CTX;
struct WOLFSSL;
lr_status lr__sessions_set_up(struct WOLFSSL_CTX *ctx, const lr__replica *replica, lr_error *err);
/* Before the handshake; null: neither tickets nor resumption. */
void lr__sessions_begin(lr__sessions *sessions, struct WOLFSSL *ssl);

/* Shared by session.c and session_wolf.c. */
/* Seals wolfSSL's ticket of len bytes, in place, and the note behind it. 0: failed. */
size_t lr__session_seal_ticket(lr__sessions *sessions, lr_tls_version version, uint8_t *bytes,
                               size_t len, size_t cap, uint8_t name[LR__KEY_NAME],
                               uint8_t salt[LR__SEAL_SALT], uint8_t mac[LR__SEAL_MAC]);
/* A sealed value, or null. */
lr_bytes *lr__session_seal_stored(lr__sessions *sessions, lr_tls_version version,
                                  const uint8_t id[LR__SESSION_ID], lr_slice wolf);

#endif
