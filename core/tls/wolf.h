/* SPDX-License-Identifier: MIT */
/* core/tls/wolf.h: how core/tls includes wolfSSL, and what must be true of it.
 *
 * lr__tls_init() runs once per process: allocator, wolfSSL_Init(), version check at run time. */
#ifndef LR_CORE_TLS_WOLF_H
#define LR_CORE_TLS_WOLF_H

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/version.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "core/tls/library.h"

#include <lockring/base.h>

/* 5.9.2 is the floor: earlier releases lack fixes that a server needs (docs/wolfssl-upgrade.md). */
#if LIBWOLFSSL_VERSION_HEX < 0x05009002
#error "lockring needs wolfSSL 5.9.2 or later."
#endif
#if defined(SHOW_SECRETS) || defined(WOLFSSL_SSLKEYLOGFILE)
#error "This wolfSSL writes secrets to a file."
#endif

/* From on to off, what this thread allocates for wolfSSL lies in secret blocks
 * (core/base/secret.h): private keys, as they are taken in. */
void lr__wolf_secret(bool on);

/* "handshake: <what> (wolfSSL -188)" into err, with err->tls_native set; returns status. */
lr_status lr__tls_fail(lr_error *err, lr_status status, int native, const char *what);

#endif
