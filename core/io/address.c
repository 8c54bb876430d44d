/* SPDX-License-Identifier: MIT */
#include "core/io/address.h"

#include "core/base/check.h"
#include "core/base/status.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

void lr__address_text(const struct sockaddr_storage *address, socklen_t len, char *out, size_t cap)
{
    char host[INET6_ADDRSTRLEN] = "?";

    LR_DCHECK(cap > 0);
    (void)len;
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;

        (void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        (void)snprintf(out, cap, "%s:%u", host, ntohs(in->sin_port));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;

        (void)inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
        (void)snprintf(out, cap, "[%s]:%u", host, ntohs(in->sin6_port));
    } else {
        (void)snprintf(out, cap, "?");
    }
}

uint16_t lr__address_port(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)address)->sin_port);
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return 0;
}

lr_status lr__address_resolve(const char *host, uint16_t port, struct sockaddr_storage *out,
                              socklen_t *len, lr_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found = NULL;
    char service[8];
    int ret;

    LR_DCHECK(host != NULL);
    (void)snprintf(service, sizeof(service), "%u", port);
    ret = getaddrinfo(host, service, &hints, &found);
    if (ret != 0)
        return lr__fail(err, LR_EADDRESS, "%.80s: %s", host, gai_strerror(ret));
    LR_CHECK(found->ai_addrlen <= sizeof(*out));
    memset(out, 0, sizeof(*out));
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return LR_OK;
}
