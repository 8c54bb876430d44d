/* SPDX-License-Identifier: MIT */
/* core/tls/replica.c: a context as WOLFSSL_CTXs of one worker: one for each identity, since a
 * WOLFSSL_CTX has one certificate (wolfSSL 5.9.2).
 *
 * Sharing nothing is the point: reference counts, certificate managers and locks inside a
 * WOLFSSL_CTX are only ever touched by the worker that made it. wolfSSL's own cache of sessions is
 * off (core/tls/session.h). */
#include "core/tls/context.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/engine.h"
#include "core/tls/peer.h"
#include "core/tls/session.h"
#include "core/tls/wolf.h"

#include <stdio.h>

/* Says whose it is where there are several. */
static lr_status refuse_identity(const lr_context *context, uint32_t i, lr_status status,
                                 int native, const char *what, lr_error *err)
{
    char text[96];

    if (context->identity_count == 1)
        (void)snprintf(text, sizeof(text), "%s", what);
    else
        (void)snprintf(text, sizeof(text), "identities[%u]: %s", i, what);
    return native == 0 ? lr__fail(err, status, "%s", text)
                       : lr__tls_fail(err, status, native, text);
}

static lr_status load_identity(WOLFSSL_CTX *ctx, const lr_context *context, uint32_t i,
                               lr_error *err)
{
    const lr__identity *identity = &context->identities[i];
    lr_slice first = identity->certificates[0];
    lr_slice last = identity->certificates[identity->certificate_count - 1];
    long size = (long)(last.bytes + last.len - first.bytes);
    int ret = wolfSSL_CTX_use_certificate_chain_buffer_format(ctx, first.bytes, size,
                                                              WOLFSSL_FILETYPE_ASN1);

    if (ret != WOLFSSL_SUCCESS)
        return refuse_identity(context, i, LR_ECERTIFICATE, ret, "certificate chain", err);
    lr__wolf_secret(true);
    ret = wolfSSL_CTX_use_PrivateKey_buffer(ctx, identity->key, (long)identity->key_size,
                                            WOLFSSL_FILETYPE_ASN1);
    lr__wolf_secret(false);
    if (ret != WOLFSSL_SUCCESS)
        return refuse_identity(context, i, LR_EKEY, ret, "private key", err);
    if (wolfSSL_CTX_check_private_key(ctx) != WOLFSSL_SUCCESS)
        return refuse_identity(context, i, LR_EKEY, 0,
                               "the private key does not belong to the certificate", err);
    return LR_OK;
}

/* wolfSSL refuses a prime that is none; it looks for itself, and a replica is made once per worker,
 * so that each pays for it. */
static lr_status set_dh(WOLFSSL_CTX *ctx, const lr__dh *dh, lr_error *err)
{
    int ret;

    if (dh->p.len == 0)
        return LR_OK;
    ret = wolfSSL_CTX_SetMinDhKey_Sz(ctx, LR__DH_BITS_LEAST);
    if (ret == WOLFSSL_SUCCESS)
        ret = wolfSSL_CTX_SetMaxDhKey_Sz(ctx, LR__DH_BITS_MOST);
    if (ret == WOLFSSL_SUCCESS)
        ret = wolfSSL_CTX_SetTmpDH(ctx, dh->p.bytes, (int)dh->p.len, dh->g.bytes, (int)dh->g.len);
    if (ret == WOLFSSL_SUCCESS)
        return LR_OK;
    return lr__tls_fail(err, LR_EOPTION, ret, "dhparam: the prime is none, or of the wrong size");
}

static lr_status set_policy(WOLFSSL_CTX *ctx, const lr__replica *replica, lr_error *err)
{
    const lr_context *context = replica->context;
    int groups[LR__GROUP_LIST_MAX];
    int ret;

    LR_TRY(set_dh(ctx, &context->dh, err));
    for (uint32_t i = 0; i < context->group_count; i++)
        groups[i] = context->groups[i];
    ret = wolfSSL_CTX_set_groups(ctx, groups, (int)context->group_count);
    if (ret != WOLFSSL_SUCCESS)
        return lr__tls_fail(err, LR_EOPTION, ret, "groups");
    ret = wolfSSL_CTX_set_cipher_list(ctx, context->suites_text);
    if (ret != WOLFSSL_SUCCESS)
        return lr__tls_fail(err, LR_EOPTION, ret, "cipher suites");
    ret = context->client_order ? wolfSSL_CTX_UseClientSuites(ctx) : 0;
    if (ret != 0)
        return lr__tls_fail(err, LR_EOPTION, ret, "honor_cipher_order");
    ret = wolfSSL_CTX_SetMinVersion(ctx, context->version_min == LR_TLS_1_3 ? WOLFSSL_TLSV1_3
                                                                            : WOLFSSL_TLSV1_2);
    if (ret != WOLFSSL_SUCCESS)
        return lr__tls_fail(err, LR_EOPTION, ret, "version_min");
    LR_TRY(lr__sessions_set_up(ctx, replica, err));
    if (context->renegotiations.count == 0)
        (void)wolfSSL_CTX_set_options(ctx, WOLFSSL_OP_NO_RENEGOTIATION);
    if (wolfSSL_CTX_set_group_messages(ctx) != WOLFSSL_SUCCESS)
        return lr__fail(err, LR_ETLS, "wolfSSL does not group messages");
    if (!lr__engine_set_io(ctx))
        return lr__fail(err, LR_ENOMEM, "replica: wolfSSL has no memory");
    if (context->request_cert)
        lr__asking_set_up(ctx);
    if (context->request_cert_later)
        lr__proof_set_up(ctx);
    return LR_OK;
}

static lr_status make_ctx(lr__replica *replica, uint32_t i, lr_error *err)
{
    const lr_context *context = replica->context;

    replica->ctx[i] =
        wolfSSL_CTX_new(context->version_max == LR_TLS_1_2 ? wolfTLSv1_2_server_method()
                                                           : wolfSSLv23_server_method());
    if (!replica->ctx[i])
        return lr__fail(err, LR_ENOMEM, "replica: wolfSSL has no memory");
    LR_TRY(load_identity(replica->ctx[i], context, i, err));
    return set_policy(replica->ctx[i], replica, err);
}

lr_status lr__replica_new(lr_context *context, bool stores, uint32_t keep_s, lr__replica **out,
                          lr_error *err)
{
    lr__replica *replica = lr__alloc_zero(1, sizeof(*replica));

    *out = NULL;
    if (!replica)
        return lr__fail(err, LR_ENOMEM, "replica: out of memory");
    LR_DCHECK(context->identity_count > 0);
    lr__list_init(&replica->node);
    lr__list_init(&replica->idle);
    replica->context = lr_context_retain(context);
    replica->stores = stores;
    replica->session_lifetime_s = context->session_lifetime_s;
    if (keep_s != 0 && keep_s < replica->session_lifetime_s)
        replica->session_lifetime_s = keep_s;
    if (context->trust.crl_count > 0) {
        replica->crl_proofs =
            lr__alloc_zero(context->trust.crl_count, sizeof(*replica->crl_proofs));
        if (!replica->crl_proofs) {
            lr__replica_free(replica);
            return lr__fail(err, LR_ENOMEM, "replica: out of memory");
        }
    }
    for (uint32_t i = 0; i < context->identity_count; i++) {
        lr_status status = make_ctx(replica, i, err);

        if (status != LR_OK) {
            lr__replica_free(replica);
            return status;
        }
    }
    *out = replica;
    return LR_OK;
}

void lr__replica_free(lr__replica *replica)
{
    if (!replica)
        return;
    LR_CHECK(replica->conn_count == 0);
    lr__list_remove(&replica->node);
    lr__list_remove(&replica->idle);
    for (uint32_t i = 0; i < LR__IDENTITY_MAX; i++)
        wolfSSL_CTX_free(replica->ctx[i]); /* null is allowed */
    lr_context_release(replica->context);
    lr__free(replica->crl_proofs);
    lr__free(replica);
}
