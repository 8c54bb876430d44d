/* SPDX-License-Identifier: MIT */
/* user_settings.h: how lockring compiles wolfSSL 5.9.2.
 *
 * This file is the whole configuration: no configure script runs, tools/deps compiles wolfSSL's
 * file list with WOLFSSL_USER_SETTINGS and this folder in the include path. Whoever includes a
 * wolfSSL header must see the same file, since structure sizes depend on it; tools/deps therefore
 * installs it beside the headers, and its content is part of the key of the cached build.
 *
 * The assembler files include it too: C declarations stand under __ASSEMBLER__.
 */
#ifndef LOCKRING_WOLFSSL_USER_SETTINGS_H
#define LOCKRING_WOLFSSL_USER_SETTINGS_H

#ifndef __ASSEMBLER__
#include <stdint.h>
#include <time.h>
#endif

/* Either of these makes every process write its secrets to a file. The key log of lockring's test
 * programs uses the secret callback instead. */
#if defined(SHOW_SECRETS) || defined(WOLFSSL_SSLKEYLOGFILE)
#error "SHOW_SECRETS and WOLFSSL_SSLKEYLOGFILE are forbidden in every build of lockring."
#endif

/* Platform: Linux, glibc, POSIX threads. These stand in for wolfSSL's config.h. */
#define HAVE_NETDB_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_SYS_SOCKET_H 1
#define HAVE_ARPA_INET_H 1
#define HAVE_UNISTD_H 1
#define HAVE_LIMITS_H 1
#define HAVE_ERRNO_H 1
#define HAVE_STDINT_H 1
#define HAVE_GETRANDOM 1
#define HAVE_PTHREAD 1
#define HAVE_THREAD_LS 1
#define HAVE_GMTIME_R 1
#define SIZEOF_LONG 8
#define SIZEOF_LONG_LONG 8
#define HAVE___UINT128_T 1
#define HAVE_C___ATOMIC 1
#define WOLFSSL_HAVE_ATOMIC_H 1
#define WOLFSSL_ATOMIC_OPS

/* The engine feeds and drains wolfSSL by callbacks; the library opens no socket of its own, not
 * even to ask an OCSP responder. */
#define WOLFSSL_USER_IO
#define NO_WRITEV

/* Randomness is lockring's, so that one seed replays a whole simulated run, and because the
 * library's own generator costs 6 us per connection. Zero means success (core/tls/rand.c). */
#define CUSTOM_RAND_GENERATE_BLOCK lr__rand_block
#define WC_NO_HASHDRBG

/* Time is lockring's for the same reason: seconds by XTIME (certificates, sessions, LowResTimer),
 * milliseconds by XTIME_MS (ticket ages in tls13.c). Breaking down a date stays gmtime_r. */
#define XTIME lr__wall_time
#define XTIME_MS(unused) lr__wall_time_ms()

#ifndef __ASSEMBLER__
#ifdef __cplusplus
extern "C" {
#endif
int lr__rand_block(unsigned char *out, unsigned int size);
time_t lr__wall_time(time_t *out);
int64_t lr__wall_time_ms(void);
#ifdef __cplusplus
}
#endif
#endif

/* Assembler. Each routine is chosen at run time by cpuid; the C code stays at the x86-64 baseline.
 */
#ifdef __x86_64__
#define WOLFSSL_X86_64_BUILD
#define USE_INTEL_SPEEDUP
#define WOLFSSL_AESNI
#define WOLFSSL_USE_ALIGN
#define WOLFSSL_SP_X86_64
#define WOLFSSL_SP_X86_64_ASM
#define WOLFSSL_SP_ASM
#endif

/* Big numbers: wolfSSL's constant-time single precision code for every size it knows. */
#define WOLFSSL_SP_MATH_ALL
#define WOLFSSL_HAVE_SP_RSA
#define WOLFSSL_HAVE_SP_DH
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_SP_4096
#define WOLFSSL_SP_384
#define WOLFSSL_SP_521
#define WOLFSSL_SP_LARGE_CODE
#define TFM_TIMING_RESISTANT
#define ECC_TIMING_RESISTANT
#define WC_RSA_BLINDING

/* Protocols: TLS 1.3 and 1.2. WOLFSSL_EARLY_DATA is there so that early data is refused well:
 * without it wolfSSL does not skip the records of a client that offers early data under a ticket of
 * another server (RFC 8446 4.2.10). None is ever accepted, since that takes
 * wolfSSL_read_early_data(), which nobody calls. Where a client offers some, wolfSSL_accept()
 * returns success before the client's Finished; wolfSSL_is_init_finished() does not. */
#define WOLFSSL_TLS13
#define WOLFSSL_EARLY_DATA
#define WOLFSSL_TLS13_MIDDLEBOX_COMPAT
#define WOLFSSL_POST_HANDSHAKE_AUTH
#define NO_OLD_TLS
#define NO_PSK
#define HAVE_EXTENDED_MASTER
#define HAVE_SECURE_RENEGOTIATION
#define HAVE_SERVER_RENEGOTIATION_INFO
#define WOLFSSL_EXTRA_ALERTS

/* Suites: AEAD only. WOLFSSL_AEAD_ONLY takes the CBC record code out of TLS, but it also hides
 * AES-CBC from the one file of wolfCrypt that includes internal.h and needs it to recognise
 * encrypted keys (asn.c); tools/deps compiles that file with LR_WOLFSSL_KEEP_CBC. No structure
 * that asn.c touches depends on the macro. */
#ifndef LR_WOLFSSL_KEEP_CBC
#define WOLFSSL_AEAD_ONLY
#endif
#define NO_RC4
#define NO_MD4
#define NO_DSA
#define NO_OLD_POLY1305
#define NO_DES3_TLS_SUITES
#define HAVE_AEAD
#define HAVE_AESGCM
#define GCM_TABLE_4BIT
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_HKDF
#define WOLFSSL_SHA224
#define WOLFSSL_SHA384
#define WOLFSSL_SHA512
#define WOLFSSL_SHA3
#define WOLFSSL_SHAKE128
#define WOLFSSL_SHAKE256

/* Groups and signatures. The DHE groups serve the node4 profile, whose list has DHE with AES-GCM.
 */
#define WC_RSA_PSS
#define HAVE_ECC
#define ECC_SHAMIR
#define HAVE_ECC384
#define HAVE_ECC521
#define HAVE_CURVE25519
#define HAVE_ED25519
#define HAVE_FFDHE_2048
#define HAVE_DH_DEFAULT_PARAMS
#define WOLFSSL_DH_CONST /* the size of a DHE key from a table: no pow() and log(), no libm */
#define WOLFSSL_HAVE_MLKEM
#define WOLFSSL_PQC_HYBRIDS
#define WOLFSSL_TLS_NO_MLKEM_STANDALONE

/* Extensions. Keeping the server name is what binds a ticket to it. */
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_SNI
#define WOLFSSL_ALWAYS_KEEP_SNI
#define HAVE_ALPN
#define HAVE_MAX_FRAGMENT

/* Tickets are lockring's: there is no default ticket key that could be forgotten. The room that a
 * ticket callback may add holds the digests of the verified peer (32 is wolfSSL's default). */
#define HAVE_SESSION_TICKET
#define WOLFSSL_NO_DEF_TICKET_ENC_CB
#define WOLFSSL_TICKET_EXTRA_PADDING_SZ 160

/* Sessions. NO_SESSION_CACHE would take the external-cache callbacks with it, so the internal
 * cache is compiled small and is turned off for every context at run time. */
#define HAVE_EXT_CACHE
#define SMALL_SESSION_CACHE
#define NO_CLIENT_CACHE
#define NO_SESSION_CACHE_REF

/* Certificates. */
#define WOLFSSL_ALWAYS_VERIFY_CB
#define WOLFSSL_IP_ALT_NAME
#define WOLFSSL_SYS_CA_CERTS
#define HAVE_CRL
#define HAVE_OCSP
#define HAVE_CERTIFICATE_STATUS_REQUEST
#define HAVE_CERTIFICATE_STATUS_REQUEST_V2
#define WOLFSSL_TLS_OCSP_MULTI
#define OPENSSL_EXTRA_X509_SMALL

/* Making keys and certificates: the programs serve with a certificate made in memory. The first
 * two are also what OPENSSL_EXTRA_X509_SMALL needs to link. */
#define WOLFSSL_CERT_GEN
#define WOLFSSL_CERT_EXT
#define WOLFSSL_KEY_GEN
#define WOLFSSL_ALT_NAMES

/* Private keys on disk. Triple DES and RC2 are there for old PKCS#12 files only. */
#define HAVE_PKCS8
#define HAVE_PKCS12
#define WOLFSSL_ENCRYPTED_KEYS
#define WOLFSSL_AES_DIRECT
#define WC_RC2

/* Hooks: the secrets that the record plane takes over, key changes, exporters. */
#define HAVE_EX_DATA
#define HAVE_SECRET_CALLBACK
#define HAVE_KEYING_MATERIAL
#define HAVE_PK_CALLBACKS
#define ATOMIC_USER

#endif
