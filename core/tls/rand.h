/* SPDX-License-Identifier: MIT */
/* core/tls/rand.h: the random generator behind wolfSSL's hook (CUSTOM_RAND_GENERATE_BLOCK).
 *
 * One per worker: ChaCha20 with fast key erasure (each refill of the buffer begins with the key of
 * the next, so what was handed out cannot be computed back), seeded and, every megabyte and after a
 * fork, seeded again by lr__current_random(). A thread without a worker asks the system each time.
 * Single thread each. */
#ifndef LR_CORE_TLS_RAND_H
#define LR_CORE_TLS_RAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LR__RAND_BUFFER = 1024, LR__RAND_RESEED = 1 << 20 };

typedef struct lr__rand {
    uint8_t key[32];
    uint8_t buffer[LR__RAND_BUFFER];
    uint32_t used;       /* bytes of buffer handed out */
    uint32_t since_seed; /* bytes handed out since the last seed; LR__RAND_RESEED: seed now */
    uint32_t fork_epoch; /* of the last seed */
} lr__rand;

void lr__rand_init(lr__rand *rand);                          /* seeds on first use */
void lr__rand_fini(lr__rand *rand);                          /* wipes */
bool lr__rand_bytes(lr__rand *rand, void *out, size_t size); /* false: no seed to be had */

/* From the current worker's generator, or the system's. What wolfSSL draws from; 0 is success. */
int lr__rand_block(unsigned char *out, unsigned int size);

#endif
