/* SPDX-License-Identifier: MIT */
/* core/tls/wolf.c: wolfSSL's process-wide state and its hooks into lockring.
 *
 * Allocation goes to core/base/mem (counted, and made to fail by tests), that of private keys to
 * core/base/secret, time and randomness to the
 * current worker. Nothing else of wolfSSL is process-wide here: no session cache, no certificate
 * cache, no device callbacks. */
#include "core/tls/wolf.h"

#include "core/base/check.h"
#include "core/base/current.h"
#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/base/status.h"

#include <pthread.h>
#include <string.h>
#include <time.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/poly1305.h>

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static int init_result;

/* user_settings.h makes these wolfSSL's clocks (XTIME, XTIME_MS). */
time_t lr__wall_time(time_t *out)
{
    time_t now = (time_t)(lr__current_wall_ms() / 1000);

    if (out)
        *out = now;
    return now;
}

int64_t lr__wall_time_ms(void)
{
    return lr__current_wall_ms();
}

static _Thread_local bool is_secret;

void lr__wolf_secret(bool on)
{
    LR_DCHECK(is_secret != on);
    is_secret = on;
}

static void *wolf_alloc(size_t size)
{
    size = size ? size : 1;
    return LR_UNLIKELY(is_secret) ? lr__secret_alloc(size) : lr__alloc(size);
}

static void wolf_free(void *ptr)
{
    if (LR_UNLIKELY(lr__secret_is(ptr)))
        lr__secret_free(ptr);
    else
        lr__free(ptr);
}

/* What moves stays what it is, where it is. */
static void *wolf_realloc(void *ptr, size_t size)
{
    size_t before = lr__secret_size(ptr);
    void *moved;

    size = size ? size : 1;
    if (LR_LIKELY(before == 0 && !(is_secret && !ptr)))
        return lr__realloc(ptr, size);
    moved = lr__secret_alloc(size);
    if (moved && ptr)
        memcpy(moved, ptr, before < size ? before : size);
    if (moved)
        lr__secret_free(ptr);
    return moved;
}

/* wolfCrypt looks at the processor on first use and keeps the answer in plain globals: on one
 * thread, before there are workers, each of these is used once. */
static void choose_code_for_this_cpu(void)
{
    static const byte zero[32];
    byte bytes[WC_SHA512_DIGEST_SIZE] = {0}, secret[32] = {0};
    ChaCha chacha;
    Poly1305 poly;
    Aes aes;

    (void)wc_Sha256Hash(zero, sizeof(zero), bytes);
    (void)wc_Sha384Hash(zero, sizeof(zero), bytes);
    (void)wc_Sha512Hash(zero, sizeof(zero), bytes);
    (void)wc_Sha3_256Hash(zero, sizeof(zero), bytes);
    if (wc_AesInit(&aes, NULL, INVALID_DEVID) == 0) {
        (void)wc_AesGcmSetKey(&aes, zero, 16);
        wc_AesFree(&aes);
    }
    (void)wc_Chacha_SetKey(&chacha, zero, sizeof(zero));
    (void)wc_Chacha_SetIV(&chacha, zero, 0);
    (void)wc_Chacha_Process(&chacha, bytes, zero, sizeof(zero));
    (void)wc_Poly1305SetKey(&poly, zero, sizeof(zero));
    (void)wc_Poly1305Update(&poly, zero, sizeof(zero));
    (void)wc_Poly1305Final(&poly, bytes);
    secret[31] = 64;
    (void)wc_curve25519_make_pub(32, bytes, 32, secret);
}

static void init(void)
{
    init_result = wolfSSL_SetAllocators(wolf_alloc, wolf_free, wolf_realloc);
    if (init_result != 0)
        return;
    init_result = wolfSSL_Init() == WOLFSSL_SUCCESS ? 0 : -1;
    if (init_result == 0)
        choose_code_for_this_cpu();
}

lr_status lr__tls_init(lr_error *err)
{
    (void)pthread_once(&init_once, init);
    if (init_result != 0)
        return lr__fail(err, LR_ESTATE, "wolfSSL does not start (%d)", init_result);
    if (wolfSSL_lib_version_hex() != LIBWOLFSSL_VERSION_HEX)
        return lr__fail(err, LR_ESTATE, "wolfSSL %s was linked, but %s compiled against",
                        wolfSSL_lib_version(), LIBWOLFSSL_VERSION_STRING);
    return LR_OK;
}

lr_status lr__tls_fail(lr_error *err, lr_status status, int native, const char *what)
{
    char text[WOLFSSL_MAX_ERROR_SZ];

    if (native == MEMORY_E || native == MEMORY_ERROR)
        status = LR_ENOMEM;
    if (err) {
        wolfSSL_ERR_error_string_n((unsigned long)native, text, sizeof(text));
        (void)lr__fail(err, status, "%s: %s (wolfSSL %d)", what, text, native);
        err->tls_native = native;
    }
    return status;
}

const char *lr__tls_library(void)
{
    return "wolfSSL " LIBWOLFSSL_VERSION_STRING;
}
