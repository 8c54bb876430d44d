/* SPDX-License-Identifier: MIT */
/* core/tls/engine.c: wolfSSL's handshake and records behind the sans-I/O calls.
 *
 * wolfSSL asks for exactly the bytes that it misses: five of a header, then the body. on_recv hands
 * them out of the caller's slice and sees type and length of each record in clear; when a record
 * has been handed out whole it answers WANT_READ until the next call, so one call is one record
 * (one wolfSSL_read would otherwise swallow any number of KeyUpdates: wolfSSL 5.9.2,
 * src/internal.c). on_send never answers WANT_WRITE, so wolfSSL keeps no half-sent state. Belongs
 * to one worker. */
#include "core/tls/engine.h"

#include "core/base/check.h"
#include "core/base/hostname.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/alert.h"
#include "core/tls/engine_state.h"
#include "core/tls/session.h"

#include <string.h>

/* RFC 8446 4.1.3: the random of a ServerHello that is a HelloRetryRequest. */
static const uint8_t hello_retry_random[32] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

static int on_recv(WOLFSSL *ssl, char *to, int size, void *arg)
{
    lr__engine *engine = arg;
    size_t len = (size_t)size;

    (void)ssl;
    if (engine->record_taken || engine->in.len == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    if (engine->record_left == 0) {
        size_t missing = (size_t)(LR__RECORD_HEADER - engine->header_len);

        len = len < missing ? len : missing;
        len = len < engine->in.len ? len : engine->in.len;
        memcpy(engine->header + engine->header_len, engine->in.bytes, len);
        engine->header_len = (uint8_t)(engine->header_len + len);
        if (engine->header_len == LR__RECORD_HEADER) {
            engine->record_left = (uint32_t)engine->header[3] << 8 | engine->header[4];
            engine->header_len = 0;
            /* In clear only data may be empty (RFC 5246 6.2.1, RFC 8446 5.1), and what is sealed
             * never is. wolfSSL 5.9.2 would answer record_overflow. */
            engine->is_empty = engine->record_left == 0 && engine->header[0] != LR__RECORD_DATA;
            engine->record_taken = engine->record_left == 0;
            if (engine->is_empty)
                return WOLFSSL_CBIO_ERR_GENERAL;
            if (lr__engine_begins_renegotiation(engine) && !lr__engine_admit_renegotiation(engine))
                return WOLFSSL_CBIO_ERR_GENERAL;
        }
    } else {
        len = len < engine->record_left ? len : engine->record_left;
        len = len < engine->in.len ? len : engine->in.len;
        engine->record_left -= (uint32_t)len;
        engine->record_taken = engine->record_left == 0;
    }
    memcpy(to, engine->in.bytes, len);
    engine->in.bytes += len;
    engine->in.len -= len;
    return (int)len;
}

static bool is_hello_retry(const char *from, int size)
{
    const uint8_t *record = (const uint8_t *)from;
    size_t random_at = LR__RECORD_HEADER + LR__HANDSHAKE_HEADER + 2;

    return (size_t)size >= random_at + sizeof(hello_retry_random) &&
           record[0] == LR__RECORD_HANDSHAKE &&
           record[LR__RECORD_HEADER] == LR__MESSAGE_SERVER_HELLO &&
           memcmp(record + random_at, hello_retry_random, sizeof(hello_retry_random)) == 0;
}

static int on_send(WOLFSSL *ssl, char *from, int size, void *arg)
{
    lr__engine *engine = arg;

    (void)ssl;
    if (engine->new_keys > 0)
        engine->new_keys--;
    if (!engine->done && is_hello_retry(from, size))
        engine->hello_retry = true;
    if (lr__engine_is_second_reply(engine, from))
        return WOLFSSL_CBIO_ERR_GENERAL;
    if (!lr__buf_append(engine->out, engine->pool, lr_slice_of(from, (size_t)size))) {
        engine->out_failed = true;
        return WOLFSSL_CBIO_ERR_GENERAL;
    }
    return size;
}

/* wolfSSL asks at each change of keys. A KeyUpdate must end its record (RFC 8446 5.1);
 * wolfSSL 5.9.2 does not check that, and one record of 3276 of them would cost as many derivations
 * and answers. An answer is a record and then new keys of our own: the record makes up for them. */
static int on_new_keys(WOLFSSL *ssl, void *arg)
{
    lr__engine *engine = arg;

    if (engine && engine->done && wolfSSL_version(ssl) == LR_TLS_1_3) {
        engine->key_update = true;
        if (++engine->new_keys > 1)
            return OUT_OF_ORDER_E;
    }
    return PROTOCOLCB_UNAVAILABLE;
}

/* wolfSSL asks for the OCSP response of the handshake, in a block of its own heap. */
static int on_status(WOLFSSL *ssl, void *arg)
{
    const lr__engine *engine = wolfSSL_GetIOReadCtx(ssl);
    lr_slice staple = lr_bytes_slice(engine->once ? engine->once->staple : NULL);
    unsigned char *copy;

    (void)arg;
    if (staple.len == 0)
        return WOLFSSL_OCSP_STATUS_CB_NOACK;
    copy = XMALLOC(staple.len, NULL, DYNAMIC_TYPE_TMP_BUFFER);
    if (!copy)
        return WOLFSSL_OCSP_STATUS_CB_ALERT_FATAL;
    memcpy(copy, staple.bytes, staple.len);
    if (wolfSSL_set_tlsext_status_ocsp_resp(ssl, copy, (int)staple.len) == WOLFSSL_SUCCESS)
        return WOLFSSL_OCSP_STATUS_CB_OK;
    XFREE(copy, NULL, DYNAMIC_TYPE_TMP_BUFFER);
    return WOLFSSL_OCSP_STATUS_CB_ALERT_FATAL;
}

bool lr__engine_set_io(struct WOLFSSL_CTX *ctx)
{
    wolfSSL_CTX_SetEncryptKeysCb(ctx, on_new_keys);
    wolfSSL_CTX_SetIORecv(ctx, on_recv);
    wolfSSL_CTX_SetIOSend(ctx, on_send);
    return wolfSSL_CTX_set_tlsext_status_cb(ctx, on_status) == WOLFSSL_SUCCESS;
}

static lr_status apply_choice(WOLFSSL *ssl, const lr_context *context,
                              const lr__gate_choice *choice, lr_error *err)
{
    char alpn[256];
    int group = choice->group;
    int ret;

    /* What is set for the WOLFSSL_CTX does not bind TLS 1.2, where wolfSSL 5.9.2 follows the client
     * (src/tls.c, TLSX_SupportedCurve_Parse()); what is set here does. */
    ret = group ? wolfSSL_set_groups(ssl, &group, 1) : WOLFSSL_SUCCESS;
    if (ret != WOLFSSL_SUCCESS)
        return lr__tls_fail(err, LR_ETLS, ret, "group");
    if (choice->alpn.len != 0) {
        LR_DCHECK(choice->alpn.len < sizeof(alpn));
        memcpy(alpn, choice->alpn.bytes, choice->alpn.len);
        alpn[choice->alpn.len] = '\0';
        ret =
            wolfSSL_UseALPN(ssl, alpn, (unsigned)choice->alpn.len, WOLFSSL_ALPN_FAILED_ON_MISMATCH);
        if (ret != WOLFSSL_SUCCESS)
            return lr__tls_fail(err, LR_ETLS, ret, "ALPN");
    }
    if (choice->chacha_first) {
        ret = wolfSSL_set_cipher_list(ssl, context->suites_chacha_first);
        if (ret != WOLFSSL_SUCCESS)
            return lr__tls_fail(err, LR_ETLS, ret, "cipher suites");
    }
    return LR_OK;
}

lr_status lr__engine_begin_once(lr__engine *engine, lr__replica *replica,
                                const lr__gate_choice *choice, lr_error *err)
{
    bool is_asked = (replica->context->request_cert || engine->asks) && !choice->is_trial;

    if (replica->context->request_cert && choice->is_trial)
        lr__asking_skip(engine->ssl);
    if (!choice->staple && !is_asked)
        return LR_OK;
    engine->once = lr__alloc_zero(1, sizeof(*engine->once));
    if (!engine->once)
        return lr__fail(err, LR_ENOMEM, "engine: out of memory");
    engine->once->staple = choice->staple ? lr_bytes_retain(choice->staple) : NULL;
    engine->once->is_asked = is_asked;
    engine->once->asking.replica = replica;
    engine->once->asking.reject = replica->context->reject_unauthorized;
    if (is_asked)
        lr__asking_begin(&engine->once->asking, engine->ssl);
    return LR_OK;
}

void lr__engine_end_once(lr__engine *engine)
{
    if (!engine->once)
        return;
    lr_bytes_release(engine->once->staple);
    lr__peer_free(engine->once->asking.peer);
    lr__free(engine->once);
    engine->once = NULL;
}

static void begin_sessions(lr__engine *engine, const lr__gate_choice *choice)
{
    engine->sessions = choice->sessions;
    if (engine->sessions && engine->once && engine->once->is_asked)
        engine->sessions->asking = &engine->once->asking;
    lr__sessions_begin(engine->sessions, engine->ssl);
    if (choice->early_data)
        (void)wolfSSL_set_max_early_data(engine->ssl, LR__EARLY_SKIP_MAX); /* none is accepted */
}

void lr__engine_end_sessions(lr__engine *engine)
{
    engine->sessions = NULL;
}

lr__sessions *lr__engine_sessions(WOLFSSL *ssl)
{
    const lr__engine *engine = wolfSSL_GetIOReadCtx(ssl);

    return engine->sessions;
}

lr_status lr__engine_new(lr__replica *replica, const lr__gate_choice *choice, lr__buf *out,
                         lr__buf_pool *pool, lr__engine **engine_out, lr_error *err)
{
    lr__engine *engine = lr__alloc_zero(1, sizeof(*engine));
    lr_status status;

    *engine_out = NULL;
    if (!engine)
        return lr__fail(err, LR_ENOMEM, "engine: out of memory");
    engine->out = out;
    engine->pool = pool;
    engine->replica = replica;
    LR_DCHECK(choice->identity < replica->context->identity_count);
    engine->ssl = wolfSSL_new(replica->ctx[choice->identity]);
    if (!engine->ssl) {
        lr__free(engine);
        return lr__fail(err, LR_ENOMEM, "engine: wolfSSL has no memory");
    }
    wolfSSL_SetIOReadCtx(engine->ssl, engine);
    wolfSSL_SetIOWriteCtx(engine->ssl, engine);
    wolfSSL_SetEncryptKeysCtx(engine->ssl, engine);
    status = apply_choice(engine->ssl, replica->context, choice, err);
    if (status == LR_OK)
        status = lr__engine_begin_once(engine, replica, choice, err);
    if (status == LR_OK)
        begin_sessions(engine, choice);
    if (status != LR_OK) {
        lr__engine_free(engine);
        return status;
    }
    *engine_out = engine;
    return LR_OK;
}

void lr__engine_free(lr__engine *engine)
{
    if (!engine)
        return;
    wolfSSL_free(engine->ssl);
    lr__engine_end_once(engine);
    lr__free(engine->again);
    lr__free_wiped(engine, sizeof(*engine));
}

void lr__engine_begin_call(lr__engine *engine, lr_slice in)
{
    engine->in = in;
    engine->record_taken = false;
    engine->key_update = engine->key_answer = false;
    engine->new_keys = 0;
    engine->out_before = lr__buf_len(engine->out);
}

lr_slice lr__engine_end_call(lr__engine *engine)
{
    lr_slice in = engine->in;

    engine->in = lr_slice_of(NULL, 0);
    return in;
}

/* Was it an alert that ended the connection? wolfSSL 5.9.2 says so of those that it takes. In a
 * handshake of TLS 1.3 whose keys are set it calls one in clear a PARSE_ERROR, but a client that
 * cannot use our ServerHello has nothing else to send; the fifth alert is an error whatever it
 * says. Behind the handshake an alert in clear may be anybody's, and is one more bad record. */
static bool is_peer_alert(const lr__engine *engine, int native,
                          const WOLFSSL_ALERT_HISTORY *history)
{
    if (native == FATAL_ERROR || native == WOLFSSL_ERROR_ZERO_RETURN)
        return true;
    if (engine->header[0] != LR__RECORD_ALERT)
        return false;
    if (native == PARSE_ERROR)
        return !engine->done && history->last_rx.code >= 0;
    return native == ALERT_COUNT_E && history->last_rx.level == alert_fatal;
}

/* An alert is not answered (RFC 8446 6): what wolfSSL said to it is taken back. */
static lr_status fail_by_alert(lr__engine *engine, int alert, lr_error *err, const char *what)
{
    if (engine->out_before == 0)
        lr__buf_drop(engine->out, engine->pool);
    else
        engine->out->end = engine->out->start + engine->out_before;
    if (alert == LR__ALERT_CLOSE_NOTIFY)
        (void)lr__fail(err, LR_EALERT, "%s: the peer closed before the end (close_notify)", what);
    else
        (void)lr__fail(err, LR_EALERT, "%s: the peer sent alert %d", what, alert);
    if (err)
        err->tls_alert = alert;
    return LR_EALERT;
}

/* wolfSSL 5.9.2 calls a ChangeCipherSpec that is not the byte 1 one of a wrong length; that is too
 * long only where it is (RFC 8446 5). */
static int alert_of(const lr__engine *engine, int native)
{
    uint32_t len = (uint32_t)engine->header[3] << 8 | engine->header[4];

    if (engine->is_empty || (native == LENGTH_ERROR && len <= LR__RECORD_MAX))
        return LR__ALERT_UNEXPECTED_MESSAGE;
    return lr__alert_of_native(native);
}

/* The failure of the last wolfSSL call, told and answered: the peer gets the alert that the RFC
 * asks for if wolfSSL queued none (guide: several of its failures end silently). */
lr_status lr__engine_fail(lr__engine *engine, int native, lr_error *err, const char *what)
{
    WOLFSSL_ALERT_HISTORY history = {{-1, -1}, {-1, -1}};
    int alert = alert_of(engine, native);

    (void)wolfSSL_get_alert_history(engine->ssl, &history);
    if (engine->out_failed || native == MEMORY_E || native == MEMORY_ERROR ||
        (engine->sessions && engine->sessions->failed))
        return lr__fail(err, LR_ENOMEM, "%s: out of memory", what);
    if (engine->again && engine->again->refused)
        return lr__engine_fail_renegotiation(engine, err);
    if (is_peer_alert(engine, native, &history))
        return fail_by_alert(engine, history.last_rx.code, err, what);
    if (history.last_tx.level == alert_fatal)
        alert = history.last_tx.code;
    else
        lr__engine_alert(engine, alert);
    if (engine->is_empty)
        (void)lr__fail(err, LR_ETLS, "%s: a record without a body", what);
    else
        (void)lr__tls_fail(err, lr__status_of_native(native), native, what);
    if (err)
        err->tls_alert = alert;
    return engine->is_empty ? LR_ETLS : lr__status_of_native(native);
}

/* The peer's certificate does not hold, or it has none, and that is a reason. */
static lr_status refuse_peer(lr__engine *engine, lr_error *err)
{
    const lr__asking *asking = &engine->once->asking;

    if (asking->no_memory)
        return lr__engine_fail(engine, MEMORY_E, err, "handshake");
    if (asking->peer->count == 0)
        (void)lr__fail(err, LR_EPEERCERT, "handshake: the client has no certificate");
    else
        (void)lr__fail(err, LR_EPEERCERT, "handshake: the client's certificate does not hold: %s",
                       lr__verify_name(asking->peer->code));
    if (err)
        err->tls_alert = asking->alert;
    return LR_EPEERCERT;
}

/* Where a peer was asked it has answered, and it has shown that the key is its own; what was
 * resumed is what the gate offered. */
bool lr__engine_is_peer_sound(const lr__engine *engine)
{
    if (!engine->done && wolfSSL_session_reused(engine->ssl))
        return engine->sessions && engine->sessions->offered;
    if (!engine->once || !engine->once->is_asked)
        return true;
    if (engine->once->asking.later && wolfSSL_version(engine->ssl) == LR_TLS_1_3)
        return lr__asking_is_proven(&engine->once->asking);
    return lr__asking_is_sound(&engine->once->asking);
}

lr_status lr__engine_handshake(lr__engine *engine, lr_slice *in, lr_error *err)
{
    int ret, native;

    LR_DCHECK(!engine->done);
    lr__engine_begin_call(engine, *in);
    ret = wolfSSL_accept(engine->ssl);
    *in = lr__engine_end_call(engine);
    if (engine->once && engine->once->asking.refused)
        return refuse_peer(engine, err);
    /* Data under the keys of the handshake: wolfSSL takes it for early data if some was offered. */
    if (wolfSSL_pending(engine->ssl) != 0)
        return lr__engine_fail(engine, OUT_OF_ORDER_E, err, "handshake");
    if (ret == WOLFSSL_SUCCESS && wolfSSL_is_init_finished(engine->ssl)) {
        if (!lr__engine_is_peer_sound(engine))
            return lr__engine_fail(engine, OUT_OF_ORDER_E, err, "handshake: client certificate");
        engine->done = true;
        return LR_OK;
    }
    native = wolfSSL_get_error(engine->ssl, ret);
    if (ret == WOLFSSL_SUCCESS || native == WOLFSSL_ERROR_WANT_READ)
        return LR_EAGAIN;
    return lr__engine_fail(engine, native, err, "handshake");
}

bool lr__engine_wants_hello(const lr__engine *engine)
{
    return engine->hello_retry;
}

void lr__engine_hello_passed(lr__engine *engine)
{
    LR_DCHECK(engine->hello_retry);
    engine->hello_retry = false;
}

lr_status lr__engine_read(lr__engine *engine, lr_slice *in, uint8_t *out, size_t cap, size_t *len,
                          lr_error *err)
{
    size_t before = in->len;
    int ret, native;

    LR_DCHECK(engine->done && cap >= 16384);
    *len = 0;
    lr__engine_begin_call(engine, *in);
    ret = lr__engine_read_record(engine, out, (int)cap);
    *in = lr__engine_end_call(engine);
    if (engine->once && engine->once->asking.refused)
        return refuse_peer(engine, err);
    if (lr__engine_renegotiation(engine) == LR__RENEGOTIATION_BEGUN) {
        if (!lr__engine_move_renegotiation(engine, ret))
            return lr__engine_fail(engine, OUT_OF_ORDER_E, err, "client certificate");
        if (lr__engine_is_turned_down(engine))
            return fail_by_alert(engine, LR__ALERT_NO_RENEGOTIATION, err, "client certificate");
    }
    if (ret > 0) {
        *len = (size_t)ret;
        return LR_OK;
    }
    native = wolfSSL_get_error(engine->ssl, ret);
    if (native == WOLFSSL_ERROR_WANT_READ)
        return before == 0 || (in->len == 0 && !engine->record_taken) ? LR_EAGAIN : LR_OK;
    if (native == WOLFSSL_ERROR_ZERO_RETURN)
        return LR_ECLOSED;
    return lr__engine_fail(engine, native, err, "record");
}

bool lr__engine_saw_key_update(const lr__engine *engine)
{
    return engine->key_update;
}

lr_status lr__engine_write(lr__engine *engine, lr_slice bytes, lr_error *err)
{
    int ret;

    LR_DCHECK(engine->done && bytes.len > 0 && bytes.len <= lr__engine_fragment_max(engine));
    lr__engine_begin_call(engine, lr_slice_of(NULL, 0));
    ret = wolfSSL_write(engine->ssl, bytes.bytes, (int)bytes.len);
    if (ret == (int)bytes.len)
        return LR_OK;
    return lr__engine_fail(engine, wolfSSL_get_error(engine->ssl, ret), err, "write");
}

uint32_t lr__engine_fragment_max(const lr__engine *engine)
{
    int max = wolfSSL_GetMaxOutputSize(engine->ssl);

    return max > 0 && max < 16384 ? (uint32_t)max : 16384;
}

void lr__engine_end(lr__engine *engine)
{
    if (!engine->done || engine->ended)
        return;
    engine->ended = true;
    (void)wolfSSL_shutdown(engine->ssl); /* sends close_notify; the peer's answer is not awaited */
}

void lr__engine_alert(lr__engine *engine, int alert)
{
    if (alert >= 0 && !engine->out_failed)
        lr__wolf_send_alert(engine->ssl, alert);
}

void lr__engine_read_facts(lr__engine *engine, lr__engine_facts *facts)
{
    facts->version = wolfSSL_version(engine->ssl) == LR_TLS_1_3 ? LR_TLS_1_3 : LR_TLS_1_2;
    facts->suite = (uint16_t)wolfSSL_get_current_cipher_suite(engine->ssl);
    facts->group = lr__group_of_wolf_name(wolfSSL_get_curve_name(engine->ssl));
    facts->resumed = wolfSSL_session_reused(engine->ssl) != 0;
}

lr__peer *lr__engine_take_peer(lr__engine *engine)
{
    lr__peer *peer = engine->once ? engine->once->asking.peer : NULL;
    lr__session *offered = engine->sessions ? engine->sessions->offered : NULL;

    LR_DCHECK(engine->done);
    if (offered && offered->peer != LR__PEER_NOT_ASKED && wolfSSL_session_reused(engine->ssl))
        peer = lr__session_take_peer(offered);
    if (engine->once)
        engine->once->asking.peer = NULL;
    wolfSSL_SetCertCbCtx(engine->ssl, NULL);
    lr__engine_end_once(engine);
    return peer;
}

/* An address as server_name is none for the gate (RFC 6066 3), but wolfSSL keeps it. */
static bool same_name(lr_slice wolf, lr_slice gate)
{
    char canonical[LR__HOSTNAME_MAX + 1];
    size_t len;

    if (gate.len == 0)
        return wolf.len == 0 || !lr__hostname_canonical(wolf, canonical, &len);
    return wolf.len == gate.len && memcmp(wolf.bytes, gate.bytes, gate.len) == 0;
}

bool lr__engine_agrees(lr__engine *engine, const lr__gate_choice *choice, lr_slice servername)
{
    void *name = NULL;
    char *alpn = NULL;
    unsigned short name_len = wolfSSL_SNI_GetRequest(engine->ssl, WOLFSSL_SNI_HOST_NAME, &name);
    unsigned short alpn_len = 0;

    if (wolfSSL_version(engine->ssl) != (int)choice->version)
        return false;
    if (wolfSSL_ALPN_GetProtocol(engine->ssl, &alpn, &alpn_len) != WOLFSSL_SUCCESS)
        alpn_len = 0;
    if (alpn_len != choice->alpn.len ||
        (alpn_len != 0 && memcmp(alpn, choice->alpn.bytes, alpn_len) != 0))
        return false;
    return same_name(lr_slice_of(name, name ? name_len : 0), servername);
}
