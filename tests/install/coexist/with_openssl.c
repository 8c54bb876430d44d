/* SPDX-License-Identifier: MIT */
#include "coexist.h"

#include <openssl/ssl.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int talk_with_openssl(int port, const char *ca_file)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    char text[64] = "";
    int sock = connect_to(port), result = 1;
    SSL *ssl;

    if (ctx == NULL || sock < 0 || SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1)
        return 1;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    ssl = SSL_new(ctx);
    if (ssl != NULL && SSL_set_fd(ssl, sock) == 1 && SSL_connect(ssl) == 1 &&
        SSL_read(ssl, text, sizeof(text) - 1) > 0 && strncmp(text, "welcome!", 8) == 0)
        result = 0;
    printf("%s: %s, %s\n", OpenSSL_version(OPENSSL_VERSION), ssl ? SSL_get_version(ssl) : "-",
           result == 0 ? "greeted" : "no greeting");
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(sock);
    return result;
}
