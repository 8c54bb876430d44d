/* SPDX-License-Identifier: MIT */
/* core/tls/rand.c: ChaCha20 fast-key-erasure generator.
 *
 * State: key, and a buffer of key stream of which `used` bytes are gone; handed-out bytes are wiped
 * at once. A refill runs the cipher over zeros under the key with a zero nonce: the key is never
 * used twice, because the first 32 bytes of the stream replace it. A fork is noticed through a
 * counter that the child's atfork handler raises: parent and child never share a stream. */
#include "core/tls/rand.h"

#include "core/base/check.h"
#include "core/base/current.h"
#include "core/base/mem.h"
#include "core/tls/wolf.h"

#include <wolfssl/wolfcrypt/chacha.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static _Atomic uint32_t fork_epoch; /* raised in the child of each fork, before it runs on */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void after_fork(void)
{
    atomic_fetch_add_explicit(&fork_epoch, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, after_fork);
}

void lr__rand_init(lr__rand *rand)
{
    (void)pthread_once(&fork_once, watch_forks);
    memset(rand, 0, sizeof(*rand));
    rand->used = LR__RAND_BUFFER;
    rand->since_seed = LR__RAND_RESEED;
}

void lr__rand_fini(lr__rand *rand)
{
    lr__wipe(rand, sizeof(*rand));
    rand->used = LR__RAND_BUFFER;
    rand->since_seed = LR__RAND_RESEED;
}

/* The new seed is mixed into the old key, so that a bad seed never makes things worse. */
static bool reseed(lr__rand *rand, uint32_t epoch)
{
    uint8_t seed[32];

    if (!lr__current_random(seed, sizeof(seed)))
        return false;
    for (size_t i = 0; i < sizeof(seed); i++)
        rand->key[i] ^= seed[i];
    lr__wipe(seed, sizeof(seed));
    rand->since_seed = 0;
    rand->fork_epoch = epoch;
    return true;
}

static bool refill(lr__rand *rand)
{
    static const uint8_t nonce[CHACHA_IV_BYTES];
    ChaCha cipher;
    int ret;

    memset(rand->buffer, 0, sizeof(rand->buffer));
    ret = wc_Chacha_SetKey(&cipher, rand->key, sizeof(rand->key));
    if (ret == 0)
        ret = wc_Chacha_SetIV(&cipher, nonce, 0);
    if (ret == 0)
        ret = wc_Chacha_Process(&cipher, rand->buffer, rand->buffer, sizeof(rand->buffer));
    lr__wipe(&cipher, sizeof(cipher));
    if (ret != 0)
        return false;
    memcpy(rand->key, rand->buffer, sizeof(rand->key));
    lr__wipe(rand->buffer, sizeof(rand->key));
    rand->used = sizeof(rand->key);
    return true;
}

bool lr__rand_bytes(lr__rand *rand, void *out, size_t size)
{
    uint32_t epoch = atomic_load_explicit(&fork_epoch, memory_order_relaxed);
    uint8_t *to = out;

    if (rand->since_seed >= LR__RAND_RESEED || rand->fork_epoch != epoch) {
        if (!reseed(rand, epoch))
            return false;
        rand->used = LR__RAND_BUFFER; /* what lies in the buffer came from the old key */
    }
    while (size > 0) {
        size_t piece;

        if (rand->used == LR__RAND_BUFFER && !refill(rand))
            return false;
        LR_DCHECK(rand->used < LR__RAND_BUFFER);
        piece = LR__RAND_BUFFER - rand->used;
        if (piece > size)
            piece = size;
        memcpy(to, rand->buffer + rand->used, piece);
        lr__wipe(rand->buffer + rand->used, piece);
        rand->used += (uint32_t)piece;
        rand->since_seed += (uint32_t)piece;
        to += piece;
        size -= piece;
    }
    return true;
}

int lr__rand_block(unsigned char *out, unsigned int size)
{
    lr__current *current = lr__current_get();

    if (current && current->rand)
        return lr__rand_bytes(current->rand, out, size) ? 0 : RNG_FAILURE_E;
    return lr__current_random(out, size) ? 0 : RNG_FAILURE_E;
}
