/* SPDX-License-Identifier: MIT */
/* core/tls/session_wolf.c: wolfSSL's callbacks for tickets and stored sessions.
 *
 * All questions were answered at the gate: here a ticket or an id is either the one that the gate
 * opened, or it is refused. Stored sessions are wolfSSL's own serialisation
 * (wolfSSL_i2d_SSL_SESSION(), 5.9.2), which comes back only from under our seal. */
#include "core/tls/session.h"

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/engine.h"
#include "core/tls/rand.h"
#include "core/tls/wolf.h"

#include <string.h>

static lr_tls_version version_of(WOLFSSL *ssl)
{
    return wolfSSL_version(ssl) == LR_TLS_1_3 ? LR_TLS_1_3 : LR_TLS_1_2;
}

/* wolfSSL 5.9.2 gives a ticket in each renegotiation of a connection whose client took one at first
 * (nothing takes its createTicket back): this one opens nowhere. */
static int seal_nothing(uint8_t *name, uint8_t *salt, uint8_t *mac, uint8_t *ticket, int len,
                        int *out_len)
{
    if (lr__rand_block(name, LR__KEY_NAME) != 0 || lr__rand_block(salt, LR__SEAL_SALT) != 0 ||
        lr__rand_block(mac, LR__SEAL_MAC) != 0 || lr__rand_block(ticket, (unsigned)len) != 0)
        return WOLFSSL_TICKET_RET_FATAL;
    *out_len = len;
    return WOLFSSL_TICKET_RET_OK;
}

static int seal(lr__sessions *sessions, WOLFSSL *ssl, uint8_t *name, uint8_t *salt, uint8_t *mac,
                uint8_t *ticket, int len, int *cap)
{
    size_t sealed;

    if (!sessions) {
        lr__engine_note_ticket(ssl);
        return seal_nothing(name, salt, mac, ticket, len, cap);
    }
    if (!sessions->tickets)
        return WOLFSSL_TICKET_RET_FATAL;
    sessions->resumed = wolfSSL_session_reused(ssl) != 0;
    (void)wolfSSL_set_max_early_data(ssl, 0); /* what may be skipped now is nothing to promise */
    sealed = lr__session_seal_ticket(sessions, version_of(ssl), ticket, (size_t)len, (size_t)*cap,
                                     name, salt, mac);
    if (sealed == 0) {
        sessions->failed = true;
        return WOLFSSL_TICKET_RET_FATAL;
    }
    sessions->ticket_made = true;
    *cap = (int)sealed;
    return WOLFSSL_TICKET_RET_OK;
}

/* In TLS 1.3 every resumption gets a new ticket, and wolfSSL 5.9.2 takes CREATE for a refusal
 * (src/tls13.c, DoPreSharedKeys()). */
static int open_offered(const lr__sessions *sessions, WOLFSSL *ssl, const uint8_t *mac,
                        uint8_t *ticket, int len, int *opened)
{
    const lr__session *offered = sessions ? sessions->offered : NULL;

    if (!offered || offered->kind != LR__SESSION_TICKET || offered->wolf.len > (size_t)len ||
        memcmp(offered->handle, mac, sizeof(offered->handle)) != 0)
        return WOLFSSL_TICKET_RET_REJECT;
    memcpy(ticket, offered->wolf.bytes, offered->wolf.len);
    *opened = (int)offered->wolf.len;
    return offered->is_key_current || version_of(ssl) == LR_TLS_1_3 ? WOLFSSL_TICKET_RET_OK
                                                                    : WOLFSSL_TICKET_RET_CREATE;
}

static int on_ticket(WOLFSSL *ssl, unsigned char *name, unsigned char *salt, unsigned char *mac,
                     int is_new, unsigned char *ticket, int len, int *out_len, void *arg)
{
    lr__sessions *sessions = lr__engine_sessions(ssl);

    (void)arg;
    if (is_new)
        return seal(sessions, ssl, name, salt, mac, ticket, len, out_len);
    return open_offered(sessions, ssl, mac, ticket, len, out_len);
}

/* The id stands behind side, time and timeout; in TLS 1.3 it is the second one, behind the master
 * secret (wolfSSL 5.9.2, src/ssl_sess.c, wolfSSL_i2d_SSL_SESSION()). Null: it has none. */
static const uint8_t *id_of(lr_slice wolf)
{
    size_t at = 1 + 4 + 4, first = wolf.bytes[at], second;

    if (first > LR__SESSION_ID)
        return NULL;
    second = at + 1 + first + 48 + 1;
    if (wolf.len > second + LR__SESSION_ID && wolf.bytes[second] == LR__SESSION_ID)
        return wolf.bytes + second + 1;
    return first == LR__SESSION_ID ? wolf.bytes + at + 1 : NULL;
}

/* 0: wolfSSL keeps its reference and gives it back itself. */
static int on_new_session(WOLFSSL *ssl, WOLFSSL_SESSION *session)
{
    lr__sessions *sessions = lr__engine_sessions(ssl);
    uint8_t bytes[LR__SESSION_WOLF_MAX], *at = bytes;
    int len = wolfSSL_i2d_SSL_SESSION(session, NULL);
    lr__stored_session *made;
    const uint8_t *id;

    if (!sessions || !sessions->stored || sessions->ticket_made ||
        sessions->made_count == LR__SESSIONS_MAX || len <= 0 || len > (int)sizeof(bytes))
        return 0;
    sessions->resumed = wolfSSL_session_reused(ssl) != 0;
    len = wolfSSL_i2d_SSL_SESSION(session, &at);
    made = &sessions->made[sessions->made_count];
    id = id_of(lr_slice_of(bytes, (size_t)len));
    if (id) {
        memcpy(made->id, id, sizeof(made->id));
        made->value = lr__session_seal_stored(sessions, version_of(ssl), made->id,
                                              lr_slice_of(bytes, (size_t)len));
        if (made->value)
            sessions->made_count++;
    }
    lr__wipe(bytes, sizeof(bytes));
    return 0;
}

static WOLFSSL_SESSION *on_wanted_session(WOLFSSL *ssl, const unsigned char *id, int len, int *copy)
{
    const lr__sessions *sessions = lr__engine_sessions(ssl);
    const lr__session *offered = sessions ? sessions->offered : NULL;
    const unsigned char *at;

    *copy = 0; /* it is wolfSSL's to free */
    if (!offered || offered->kind != LR__SESSION_STORED || len != LR__SESSION_ID ||
        memcmp(id, offered->handle, LR__SESSION_ID) != 0)
        return NULL;
    at = offered->wolf.bytes;
    return wolfSSL_d2i_SSL_SESSION(NULL, &at, (long)offered->wolf.len);
}

lr_status lr__sessions_set_up(WOLFSSL_CTX *ctx, const lr__replica *replica, lr_error *err)
{
    const lr_context *context = replica->context;
    bool done;

    (void)wolfSSL_CTX_set_session_cache_mode(ctx, replica->stores ? WOLFSSL_SESS_CACHE_NO_INTERNAL
                                                                  : WOLFSSL_SESS_CACHE_OFF);
    if (replica->stores) {
        wolfSSL_CTX_sess_set_new_cb(ctx, on_new_session);
        wolfSSL_CTX_sess_set_get_cb(ctx, on_wanted_session);
    }
    /* Where its server has not said that it knows the extension, wolfSSL 5.9.2 gives a client of
     * TLS 1.2 no new ticket for one that it refuses (src/tls.c, TLSX_SessionTicket_Parse()). */
    done = wolfSSL_CTX_UseSessionTicket(ctx) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_TicketEncCb(ctx, on_ticket) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_timeout(ctx, replica->session_lifetime_s) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_TicketHint(ctx, (int)replica->session_lifetime_s) == WOLFSSL_SUCCESS;
    if (done && context->version_max == LR_TLS_1_3)
        done = wolfSSL_CTX_set_num_tickets(ctx, context->ticket_count) == WOLFSSL_SUCCESS &&
               wolfSSL_CTX_set_max_early_data(ctx, 0) == 0;
    return done ? LR_OK : lr__fail(err, LR_ETLS, "wolfSSL does not take the settings of sessions");
}

void lr__sessions_begin(lr__sessions *sessions, WOLFSSL *ssl)
{
    bool tickets = sessions && sessions->tickets, stored = sessions && sessions->stored;

    if (!tickets)
        (void)wolfSSL_NoTicketTLSv12(ssl);
    if (stored && !tickets)
        (void)wolfSSL_set_options(ssl, WOLFSSL_OP_NO_TICKET); /* an id in place of a ticket */
    else if (!tickets)
        (void)wolfSSL_no_ticket_TLSv13(ssl); /* refused where 1.3 is not spoken */
    /* Nobody asks us before an id goes out, and it would promise as much as may be skipped now. */
    if (sessions && sessions->early_data && !tickets)
        (void)wolfSSL_no_ticket_TLSv13(ssl);
}
