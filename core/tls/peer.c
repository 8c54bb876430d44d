/* SPDX-License-Identifier: MIT */
#include "core/tls/peer.h"

#include "core/base/check.h"
#include "core/base/current.h"
#include "core/base/mem.h"
#include "core/tls/alert.h"
#include "core/tls/wolf.h"

#include <string.h>
#include <wolfssl/wolfcrypt/hash.h>

lr__peer *lr__peer_new(lr__verify_code code, const lr_slice *chain, uint32_t count)
{
    size_t size = sizeof(lr__peer) + count * sizeof(lr_slice), at = size;
    lr__peer *peer;

    for (uint32_t i = 0; i < count; i++)
        size += chain[i].len;
    peer = lr__alloc(size);
    if (!peer)
        return NULL;
    memset(peer, 0, sizeof(*peer));
    peer->code = code;
    peer->until = INT64_MIN;
    peer->count = count;
    peer->has_digest = count > 0;
    if (count > 0 && wc_Sha256Hash(chain[0].bytes, (word32)chain[0].len, peer->digest) != 0) {
        lr__free(peer);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        memcpy((uint8_t *)peer + at, chain[i].bytes, chain[i].len);
        peer->certificates[i] = lr_slice_of((uint8_t *)peer + at, chain[i].len);
        at += chain[i].len;
    }
    return peer;
}

void lr__peer_free(lr__peer *peer)
{
    lr__free(peer);
}

lr__peer *lr__peer_judge(const lr__replica *replica, const lr_slice *chain, uint32_t count)
{
    const lr_context *context = replica->context;
    lr__verify_rules rules = {.depth = context->verify_depth,
                              .rsa_bits_min = context->rsa_bits_min,
                              .now = lr__current_wall_ms() / 1000};
    int64_t until;
    lr__verify_code code =
        lr__verify_client(&context->trust, &rules, replica->crl_proofs, chain, count, &until);
    lr__peer *peer = code == LR__VERIFY_OUT_OF_MEM ? NULL : lr__peer_new(code, chain, count);

    if (peer)
        peer->until = until;
    return peer;
}

static void judge(lr__asking *asking, const WOLFSSL_X509_STORE_CTX *store)
{
    uint32_t count = store->totalCerts > 0 ? (uint32_t)store->totalCerts : 0;
    lr_slice chain[LR__PEER_CHAIN_MAX];

    LR_CHECK(count <= LR_ARRAY_COUNT(chain));
    for (uint32_t i = 0; i < count; i++)
        chain[i] = lr_slice_of(store->certs[i].buffer, store->certs[i].length);
    asking->peer = lr__peer_judge(asking->replica, chain, count);
    asking->no_memory = !asking->peer;
    asking->refused = asking->no_memory || (asking->peer->code != LR__VERIFY_OK && asking->reject);
    if (asking->refused && !asking->no_memory)
        asking->alert =
            lr__verify_alert(asking->peer->code,
                             wolfSSL_version(asking->ssl) == LR_TLS_1_3 ? LR_TLS_1_3 : LR_TLS_1_2);
}

static int on_verify(int held, WOLFSSL_X509_STORE_CTX *store);

static void switch_off(lr__asking *asking)
{
    wolfSSL_set_verify(asking->ssl, WOLFSSL_VERIFY_NONE, on_verify);
    asking->off = true;
}

/* wolfSSL 5.9.2 (src/internal.c, ProcessPeerCerts()) calls for each certificate that does not hold,
 * the last of the message first, and here none holds, because nobody is trusted; then for the leaf,
 * once with its fault, and once at the end. Only at the end, with verification off, can 0 be said
 * without an alert of wolfSSL's own for it. */
static int on_verify(int held, WOLFSSL_X509_STORE_CTX *store)
{
    lr__asking *asking = store->userCtx;

    if (!asking) /* nobody asked: no handshake of ours is under way */
        return 0;
    if (store->error_depth == 0 && !asking->peer && !asking->no_memory)
        judge(asking, store);
    if (!asking->off && (!held || store->error_depth > 0)) {
        switch_off(asking);
        return 1;
    }
    if (store->error_depth > 0)
        return 1;
    if (asking->refused) {
        if (!asking->off)
            switch_off(asking);
        /* From here: wolfSSL adds its general one to a handshake of TLS 1.2 that has had none. */
        if (!asking->no_memory)
            lr__wolf_send_alert(asking->ssl, asking->alert);
        return 0;
    }
    if (asking->off) {
        wolfSSL_set_verify(asking->ssl, WOLFSSL_VERIFY_PEER, on_verify);
        asking->off = false;
    }
    asking->proof.judged = true;
    return 1;
}

void lr__asking_set_up(WOLFSSL_CTX *ctx)
{
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, on_verify);
}

void lr__asking_begin(lr__asking *asking, WOLFSSL *ssl)
{
    asking->ssl = ssl;
    wolfSSL_SetCertCbCtx(ssl, asking);
}

void lr__asking_begin_later(lr__asking *asking, WOLFSSL *ssl)
{
    asking->later = true;
    lr__asking_begin(asking, ssl);
    wolfSSL_set_verify(ssl, WOLFSSL_VERIFY_PEER, on_verify);
}

void lr__asking_skip(WOLFSSL *ssl)
{
    wolfSSL_set_verify(ssl, WOLFSSL_VERIFY_NONE, NULL);
}

bool lr__asking_is_sound(const lr__asking *asking)
{
    return asking->peer && !asking->refused && !asking->off;
}

bool lr__asking_is_proven(const lr__asking *asking)
{
    return lr__asking_is_sound(asking) && asking->proof.finished &&
           (asking->peer->count == 0 || asking->proof.proven);
}
