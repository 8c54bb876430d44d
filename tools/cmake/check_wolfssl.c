/* SPDX-License-Identifier: MIT */
/* Compiled at configure time only: refuses a wolfSSL build that lockring must not use. */
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/version.h>

#if LIBWOLFSSL_VERSION_HEX < 0x05009002
#error "wolfSSL is older than 5.9.2"
#endif
#if defined(SHOW_SECRETS) || defined(WOLFSSL_SSLKEYLOGFILE)
#error "this wolfSSL writes secrets to a file (SHOW_SECRETS or WOLFSSL_SSLKEYLOGFILE)"
#endif
#if defined(SINGLE_THREADED)
#error "this wolfSSL is built for one thread (SINGLE_THREADED)"
#endif

int lockring_check_wolfssl(void);

int lockring_check_wolfssl(void)
{
    return 0;
}
