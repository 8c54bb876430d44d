/* SPDX-License-Identifier: MIT */
/* The system's wolfSSL, whatever its version: it must be that one that answers. */
#include "coexist.h"

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>
#include <wolfssl/version.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int talk_with_wolfssl(int port, const char *ca_file)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLSv1_2_client_method());
    char text[64] = "";
    int sock = connect_to(port), result = 1;
    WOLFSSL *ssl;

    if (strcmp(wolfSSL_lib_version(), LIBWOLFSSL_VERSION_STRING) != 0) {
        printf("wolfSSL says it is %s, not %s\n", wolfSSL_lib_version(), LIBWOLFSSL_VERSION_STRING);
        return 1;
    }
    if (ctx == NULL || sock < 0 ||
        wolfSSL_CTX_load_verify_locations(ctx, ca_file, NULL) != WOLFSSL_SUCCESS)
        return 1;
    ssl = wolfSSL_new(ctx);
    if (ssl != NULL && wolfSSL_set_fd(ssl, sock) == WOLFSSL_SUCCESS &&
        wolfSSL_connect(ssl) == WOLFSSL_SUCCESS && wolfSSL_read(ssl, text, sizeof(text) - 1) > 0 &&
        strncmp(text, "welcome!", 8) == 0)
        result = 0;
    printf("wolfSSL %s: %s, %s\n", wolfSSL_lib_version(), ssl ? wolfSSL_get_version(ssl) : "-",
           result == 0 ? "greeted" : "no greeting");
    wolfSSL_free(ssl);
    wolfSSL_CTX_free(ctx);
    close(sock);
    return result;
}
