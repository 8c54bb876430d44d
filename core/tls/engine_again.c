/* SPDX-License-Identifier: MIT */
/* core/tls/engine_again.c: handshakes behind the handshake.
 *
 * A client of TLS 1.2 may begin one anew, where the context allows it. wolfSSL does it inside its
 * reading; here it is counted, bounded and watched from the outside: on_recv() of engine.c sees its
 * first record in clear, on_send() each answer. The program may begin one to ask for the client's
 * certificate; in TLS 1.3 that is three messages of the client's (RFC 8446 4.6.2), with the same
 * phases. Belongs to one worker. */
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

/* False: no memory. */
static bool make_again(lr__engine *engine)
{
    uint32_t count = engine->replica->context->renegotiations.count;

    if (engine->again)
        return true;
    engine->again = lr__alloc_zero(1, sizeof(*engine->again) + count * sizeof(uint64_t));
    if (!engine->again)
        return false;
    engine->again->window.at_ns = engine->again->at_ns;
    return true;
}

/* The first record of a handshake behind the handshake, before wolfSSL has any of it. False: it is
 * one too many, or there is no memory. */
bool lr__engine_admit_renegotiation(lr__engine *engine)
{
    const lr__renegotiation_limit *limit = &engine->replica->context->renegotiations;

    if (!make_again(engine)) {
        engine->out_failed = true;
        return false;
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

/* The program's request that is under way; null: there is none. */
static lr__asking *asking_later(const lr__engine *engine)
{
    return engine->once && engine->once->asking.later ? &engine->once->asking : NULL;
}

/* Data in the middle of a renegotiation: wolfSSL's handshake stops for it, and the next call has it
 * without a byte more of input. */
int lr__engine_read_record(lr__engine *engine, uint8_t *out, int cap)
{
    lr__asking *asking = asking_later(engine);
    int ret, awaited = 0;

    if (asking)
        lr__proof_watch(&asking->proof);
    ret = wolfSSL_read(engine->ssl, out, cap);
    if (ret <= 0 && lr__engine_renegotiation(engine) == LR__RENEGOTIATION_BEGUN &&
        wolfSSL_get_error(engine->ssl, ret) == APP_DATA_READY) {
        LR_DCHECK(engine->record_taken);
        ret = wolfSSL_read(engine->ssl, out, cap);
    }
    if (asking)
        lr__proof_watch(NULL);
    if (engine->keys_asked && engine->key_update &&
        wolfSSL_key_update_response(engine->ssl, &awaited) == 0 && awaited == 0) {
        engine->keys_asked = false;
        engine->key_answer = true;
    }
    return ret;
}

/* The messages of an answer follow each other, without data or new keys between them (RFC 8446
 * 4.6.2); wolfSSL 5.9.2 does not look. */
static bool move_answer(lr__engine *engine, const lr__asking *asking, int ret)
{
    if (asking->proof.finished)
        engine->again->phase = LR__RENEGOTIATION_DONE;
    else if (asking->peer && (ret > 0 || engine->key_update))
        return false;
    return true;
}

bool lr__engine_move_renegotiation(lr__engine *engine, int ret)
{
    const lr__asking *asking = asking_later(engine);

    if (wolfSSL_version(engine->ssl) == LR_TLS_1_3)
        return move_answer(engine, asking, ret);
    if (!wolfSSL_is_init_finished(engine->ssl))
        engine->again->began = true;
    else if (engine->again->began)
        engine->again->phase = LR__RENEGOTIATION_DONE;
    return true;
}

bool lr__engine_is_turned_down(lr__engine *engine)
{
    WOLFSSL_ALERT_HISTORY history = {{-1, -1}, {-1, -1}};

    return asking_later(engine) && wolfSSL_version(engine->ssl) == LR_TLS_1_2 &&
           wolfSSL_get_alert_history(engine->ssl, &history) == WOLFSSL_SUCCESS &&
           history.last_rx.code == LR__ALERT_NO_RENEGOTIATION;
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

/* Nothing of it is left. */
static lr_status unask(lr__engine *engine, lr_status status, lr_error *err, const char *what)
{
    lr__asking_skip(engine->ssl);
    wolfSSL_SetCertCbCtx(engine->ssl, NULL);
    lr__engine_end_once(engine);
    engine->asks = false;
    return lr__fail(err, status, "client certificate: %s", what);
}

static lr_status may_request(const lr__engine *engine, lr_error *err)
{
    const lr_context *context = engine->replica->context;
    bool is_1_3 = wolfSSL_version(engine->ssl) == LR_TLS_1_3;

    if (!context->request_cert_later)
        return lr__fail(err, LR_EOPTION, "client certificate: request_cert_later is off");
    if (!is_1_3 && context->renegotiations.count == 0)
        return lr__fail(err, LR_EOPTION, "client certificate: renegotiation is not allowed");
    if (lr__engine_renegotiation(engine) != LR__RENEGOTIATION_NONE)
        return lr__fail(err, LR_EAGAIN, "client certificate: a handshake is under way");
    if (is_1_3 && engine->asked)
        return lr__fail(err, LR_ESTATE, "client certificate: it was asked for before");
    if (!is_1_3 && !wolfSSL_SSL_get_secure_renegotiation_support(engine->ssl))
        return lr__fail(err, LR_ENOTOFFERED,
                        "client certificate: the client does not know "
                        "RFC 5746");
    return LR_OK;
}

/* wolfSSL sends a HelloRequest and waits for the ClientHello at once. Behind the first handshake no
 * session is resumed (core/tls/session_wolf.c): one would answer without a certificate. */
static int request_1_2(WOLFSSL *ssl)
{
    int ret, native;

    if (!expect_same_name(ssl))
        return MEMORY_E;
    ret = wolfSSL_Rehandshake(ssl);
    native = wolfSSL_get_error(ssl, ret);
    if (native == WOLFSSL_ERROR_WANT_READ)
        return WOLFSSL_SUCCESS;
    return ret == WOLFSSL_FATAL_ERROR ? native : ret; /* what it refuses at once it returns */
}

lr_status lr__engine_request_cert(lr__engine *engine, bool reject, lr_error *err)
{
    bool is_1_3 = wolfSSL_version(engine->ssl) == LR_TLS_1_3;
    bool had_asked = engine->asks;
    int ret;

    LR_DCHECK(engine->done && !engine->ended);
    LR_TRY(may_request(engine, err));
    engine->asks = true;
    if (!make_again(engine) || !ask_again(engine)) {
        engine->asks = had_asked;
        return lr__fail(err, LR_ENOMEM, "client certificate: out of memory");
    }
    lr__asking_begin_later(&engine->once->asking, engine->ssl);
    engine->once->asking.reject = reject;
    lr__engine_begin_call(engine, lr_slice_of(NULL, 0));
    (void)wolfSSL_clear_group_messages(engine->ssl); /* nothing comes that it could wait for */
    ret = is_1_3 ? wolfSSL_request_certificate(engine->ssl) : request_1_2(engine->ssl);
    (void)wolfSSL_set_group_messages(engine->ssl);
    if (ret == POST_HAND_AUTH_ERROR)
        return unask(engine, LR_ENOTOFFERED, err, "the client has not offered post_handshake_auth");
    if (ret != WOLFSSL_SUCCESS)
        return lr__engine_fail(engine, ret, err, "client certificate");
    engine->asked = true;
    engine->again->phase = LR__RENEGOTIATION_BEGUN;
    engine->again->began = true;
    engine->again->replied = false;
    return LR_OK;
}

lr_status lr__engine_update_keys(lr__engine *engine, lr_error *err)
{
    int ret;

    LR_DCHECK(engine->done && !engine->ended);
    if (wolfSSL_version(engine->ssl) != LR_TLS_1_3)
        return lr__fail(err, LR_ESTATE, "KeyUpdate: TLS 1.2 has none");
    lr__engine_begin_call(engine, lr_slice_of(NULL, 0));
    ret = wolfSSL_update_keys(engine->ssl);
    if (ret != WOLFSSL_SUCCESS)
        return lr__engine_fail(engine, ret, err, "KeyUpdate");
    engine->keys_asked = true;
    return LR_OK;
}

bool lr__engine_saw_key_answer(const lr__engine *engine)
{
    return engine->key_answer;
}
