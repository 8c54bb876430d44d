/* SPDX-License-Identifier: MIT */
/* core/tls/trial.c: a context's first handshake, with a client of wolfSSL's in the same thread.
 *
 * What an option may have broken in combination (a key that wolfSSL loads and cannot sign with, a
 * list of suites that fits no key) shows here, at the call that brought the context in, instead of
 * at the first client. */
#include "core/tls/trial.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/engine.h"
#include "core/tls/wolf.h"

#include <string.h>

enum { ROUNDS_MAX = 16 };

typedef struct trial {
    lr__buf_pool pool;
    lr__buf to_client, to_server;
    lr__engine *engine;
    WOLFSSL_CTX *ctx;
    WOLFSSL *ssl;
} trial;

static int client_recv(WOLFSSL *ssl, char *to, int size, void *arg)
{
    trial *t = arg;
    lr_slice in = lr__buf_slice(&t->to_client);
    size_t len = in.len < (size_t)size ? in.len : (size_t)size;

    (void)ssl;
    if (len == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    memcpy(to, in.bytes, len);
    lr__buf_consume(&t->to_client, &t->pool, len);
    return (int)len;
}

static int client_send(WOLFSSL *ssl, char *from, int size, void *arg)
{
    trial *t = arg;

    (void)ssl;
    if (!lr__buf_append(&t->to_server, &t->pool, lr_slice_of(from, (size_t)size)))
        return WOLFSSL_CBIO_ERR_GENERAL;
    return size;
}

static lr_status make_client(trial *t, const lr_context *context, uint16_t group, lr_error *err)
{
    int groups[] = {group};
    bool made;

    t->ctx = wolfSSL_CTX_new(context->version_max == LR_TLS_1_2 ? wolfTLSv1_2_client_method()
                                                                : wolfSSLv23_client_method());
    if (!t->ctx)
        return lr__fail(err, LR_ENOMEM, "trial: wolfSSL has no memory");
    wolfSSL_CTX_set_verify(t->ctx, WOLFSSL_VERIFY_NONE, NULL);
    wolfSSL_CTX_SetIORecv(t->ctx, client_recv);
    wolfSSL_CTX_SetIOSend(t->ctx, client_send);
    made = wolfSSL_CTX_set_cipher_list(t->ctx, context->suites_text) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_groups(t->ctx, groups, 1) == WOLFSSL_SUCCESS;
    t->ssl = made ? wolfSSL_new(t->ctx) : NULL;
    if (!t->ssl)
        return lr__fail(err, LR_ENOMEM, "trial: wolfSSL has no memory");
    wolfSSL_SetIOReadCtx(t->ssl, t);
    wolfSSL_SetIOWriteCtx(t->ssl, t);
    return LR_OK;
}

static void fini(trial *t)
{
    wolfSSL_free(t->ssl);
    wolfSSL_CTX_free(t->ctx);
    lr__engine_free(t->engine);
    lr__buf_drop(&t->to_client, &t->pool);
    lr__buf_drop(&t->to_server, &t->pool);
    lr__buf_pool_fini(&t->pool);
}

/* Feeds the server what the client sent. LR_OK: the server is done. */
static lr_status step_server(trial *t, lr_error *err)
{
    lr_status status = LR_EAGAIN;

    while (status == LR_EAGAIN && lr__buf_len(&t->to_server) != 0) {
        lr_slice in = lr__buf_slice(&t->to_server);
        size_t before = in.len;

        status = lr__engine_handshake(t->engine, &in, err);
        if (before == in.len)
            break;
        lr__buf_consume(&t->to_server, &t->pool, before - in.len);
    }
    return status;
}

/* Both sides in turn until the server is done or fails. */
static lr_status shake_hands(trial *t, lr_error *err)
{
    lr_status status = LR_EAGAIN;

    for (int round = 0; round < ROUNDS_MAX && status == LR_EAGAIN; round++) {
        int ret = wolfSSL_connect(t->ssl);
        int native = ret == WOLFSSL_SUCCESS ? 0 : wolfSSL_get_error(t->ssl, ret);

        if (native == HANDSHAKE_SIZE_ERROR) /* a long chain: a limit of this client's, not ours */
            return LR_OK;
        if (native != 0 && native != WOLFSSL_ERROR_WANT_READ)
            return lr__tls_fail(err, LR_ETLS, native, "trial handshake, at the client");
        status = step_server(t, err);
    }
    if (status == LR_EAGAIN)
        return lr__fail(err, LR_ETLS, "the trial handshake does not come to its end");
    return status;
}

static lr_status try_identity(lr_context *context, lr__replica *replica, uint32_t i, lr_error *err)
{
    lr__gate_choice choice = {.version = context->version_max, .identity = i, .is_trial = true};
    trial t = {0};
    lr_status status;

    lr__buf_pool_init(&t.pool);
    for (uint32_t g = 0; g < context->group_count && choice.group == 0; g++) {
        if (context->version_max == LR_TLS_1_3 ||
            context->groups[g] < LR__GROUP_SECP256R1MLKEM768) /* 1.2 has no hybrids */
            choice.group = context->groups[g];
    }
    status = make_client(&t, context, choice.group, err);
    if (status == LR_OK)
        status = lr__engine_new(replica, &choice, &t.to_client, &t.pool, &t.engine, err);
    if (status == LR_OK)
        status = shake_hands(&t, err);
    fini(&t);
    return status;
}

lr_status lr__context_try(lr_context *context, lr_error *err)
{
    lr__replica *replica;
    lr_status status = LR_OK;
    uint32_t passed = 0;

    LR_TRY(lr__replica_new(context, false, 0, &replica, err));
    for (uint32_t i = 0; i < context->identity_count; i++) {
        lr_error why;
        lr_status one = try_identity(context, replica, i, &why);

        if (one == LR_OK)
            passed++;
        else if (status == LR_OK)
            status = lr__fail(err, one, "identity %u: %.120s", i + 1, why.text);
    }
    lr__replica_free(replica);
    /* In TLS 1.2 a key may be there for suites that the list leaves out; one must do. */
    if (context->version_max == LR_TLS_1_2 && passed > 0)
        return LR_OK;
    return status;
}
