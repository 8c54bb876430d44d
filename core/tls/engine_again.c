/* SPDX-License-Identifier: MIT */
/* core/tls/engine_again.c: handshakes behind the handshake.
 *
 * A client of TLS 1.2 may begin one anew, where the context allows it. wolfSSL does it inside its
 * reading; here it is counted, bounded and watched from the outside: on_recv() of engine.c sees its
 * first record in clear, on_send() each answer. Belongs to one worker. */
#include "core/tls/engine_state.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/alert.h"

#include <string.h>

/* A renegotiation of a context that asks asks again. */
static bool ask_again(lr__engine *engine)
{
    lr__gate_choice choice = {0};
    lr_error err;

    LR_DCHECK(!engine->once);
    return lr__engine_begin_once(engine, engine->replica, &choice, &err) == LR_OK;
}

/* The server name must stay (RFC 6066 3 leaves it to the server). wolfSSL 5.9.2 does not look at
 * that of a second ClientHello where it kept the first one's (src/tls.c, TLSX_SNI_Parse()); a name
 * that it was told to expect it compares. What was kept is raw, and no string. */
static bool expect_same_name(WOLFSSL *ssl)
{
    void *kept = NULL;
    unsigned short len = wolfSSL_SNI_GetRequest(ssl, WOLFSSL_SNI_HOST_NAME, &kept);
    char name[UINT8_MAX + 1];

    if (len == 0)
        return true;
    if (len > UINT8_MAX)
        return false;
    memcpy(name, kept, len); /* wolfSSL frees its own copy before it makes the next one */
    return wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, name, len) == WOLFSSL_SUCCESS;
}

/* The first record of a handshake behind the handshake, before wolfSSL has any of it. False: it is
 * one too many, or there is no memory. */
bool lr__engine_admit_renegotiation(lr__engine *engine)
{
    const lr__renegotiation_limit *limit = &engine->replica->context->renegotiations;

    if (!engine->again) {
        engine->again = lr__alloc_zero(1, sizeof(*engine->again) + limit->count * sizeof(uint64_t));
        if (!engine->again) {
            engine->out_failed = true;
            return false;
        }
        engine->again->window.at_ns = engine->again->at_ns;
    }
    if (!engine->now_ns || !lr__window_take(&engine->again->window, *engine->now_ns,
                                            limit->window_s * UINT64_C(1000000000), limit->count)) {
        engine->again->refused = true;
        return false;
    }
    engine->again->phase = LR__RENEGOTIATION_BEGUN;
    engine->again->began = engine->again->replied = false;
    if (expect_same_name(engine->ssl) && ask_again(engine))
        return true;
    engine->out_failed = true;
    return false;
}

/* Records of TLS 1.3 do not show what they are, and one in clear is an error. */
bool lr__engine_begins_renegotiation(const lr__engine *engine)
{
    return engine->done && engine->header[0] == LR__RECORD_HANDSHAKE &&
           engine->replica->context->renegotiations.count != 0 &&
           (!engine->again || engine->again->phase == LR__RENEGOTIATION_NONE) &&
           wolfSSL_version(engine->ssl) == LR_TLS_1_2;
}

/* In a renegotiation wolfSSL 5.9.2 takes a further ClientHello for another beginning, at any point
 * (src/internal.c, DoHandShakeMsgType()), and signs for it: there is one flight of ours that begins
 * with a handshake record, and one more that begins with a ticket, where the client takes them. */
bool lr__engine_is_second_reply(lr__engine *engine, const char *from)
{
    if (lr__engine_renegotiation(engine) != LR__RENEGOTIATION_BEGUN ||
        from[0] != LR__RECORD_HANDSHAKE)
        return false;
    if (engine->again->ticketed) {
        engine->again->ticketed = false;
        return false;
    }
    if (engine->again->replied)
        engine->again->refused = true;
    engine->again->replied = true;
    return engine->again->refused;
}

void lr__engine_note_ticket(WOLFSSL *ssl)
{
    lr__engine *engine = wolfSSL_GetIOReadCtx(ssl);

    if (engine->again)
        engine->again->ticketed = true;
}

lr_status lr__engine_fail_renegotiation(lr__engine *engine, lr_error *err)
{
    lr__engine_alert(engine, LR__ALERT_HANDSHAKE_FAILURE);
    (void)lr__fail(err, LR_ERENEGOTIATION, "%s", lr_status_text(LR_ERENEGOTIATION));
    if (err)
        err->tls_alert = LR__ALERT_HANDSHAKE_FAILURE;
    return LR_ERENEGOTIATION;
}

/* Data in the middle of a renegotiation: wolfSSL's handshake stops for it, and the next call has it
 * without a byte more of input. */
int lr__engine_read_record(lr__engine *engine, uint8_t *out, int cap)
{
    int ret = wolfSSL_read(engine->ssl, out, cap);

    if (ret <= 0 && lr__engine_renegotiation(engine) == LR__RENEGOTIATION_BEGUN &&
        wolfSSL_get_error(engine->ssl, ret) == APP_DATA_READY) {
        LR_DCHECK(engine->record_taken);
        ret = wolfSSL_read(engine->ssl, out, cap);
    }
    return ret;
}

void lr__engine_move_renegotiation(lr__engine *engine)
{
    if (!wolfSSL_is_init_finished(engine->ssl))
        engine->again->began = true;
    else if (engine->again->began)
        engine->again->phase = LR__RENEGOTIATION_DONE;
}

void lr__engine_set_clock(lr__engine *engine, const uint64_t *now_ns)
{
    engine->now_ns = now_ns;
}

lr__renegotiation lr__engine_renegotiation(const lr__engine *engine)
{
    return engine->again ? engine->again->phase : LR__RENEGOTIATION_NONE;
}

lr_status lr__engine_end_renegotiation(lr__engine *engine, lr__peer **peer, lr_error *err)
{
    const char *what = NULL;

    LR_DCHECK(lr__engine_renegotiation(engine) == LR__RENEGOTIATION_DONE);
    engine->again->phase = LR__RENEGOTIATION_NONE;
    if (!lr__engine_is_peer_sound(engine))
        what = "renegotiation: client certificate";
    *peer = lr__engine_take_peer(engine);
    return what ? lr__engine_fail(engine, OUT_OF_ORDER_E, err, what) : LR_OK;
}
