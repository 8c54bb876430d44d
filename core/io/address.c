/* SPDX-License-Identifier: MIT */
#include "core/io/address.h"

#include "core/base/check.h"
#include "core/base/status.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

enum {
    SUN_PATH_AT = offsetof(struct sockaddr_un, sun_path),
    SUN_PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path)
};

static_assert(sizeof("unix:") + SUN_PATH_SIZE <= LR__ADDRESS_TEXT_MAX,
              "every address has its text");

/* A path may fill sun_path without a terminator; an abstract name begins with a zero byte and may
 * hold more of them, which are written as '@' too. Nothing but zero bytes is no name. */
static void unix_text(const struct sockaddr_un *un, socklen_t len, char *out, size_t cap)
{
    size_t size = len > SUN_PATH_AT ? len - SUN_PATH_AT : 0;
    char name[SUN_PATH_SIZE + 1];

    size = size < SUN_PATH_SIZE ? size : SUN_PATH_SIZE;
    memcpy(name, un->sun_path, size);
    if (size > 0 && name[0] == '\0') {
        while (size > 0 && name[size - 1] == '\0')
            size--;
        for (size_t i = 0; i < size; i++)
            name[i] = name[i] == '\0' ? '@' : name[i];
    }
    name[size] = '\0';
    (void)snprintf(out, cap, "unix:%s", name);
}

void lr__address_text(const struct sockaddr_storage *address, socklen_t len, char *out, size_t cap)
{
    char host[INET6_ADDRSTRLEN] = "?";

    LR_DCHECK(cap > 0);
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;

        (void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        (void)snprintf(out, cap, "%s:%u", host, ntohs(in->sin_port));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;

        (void)inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
        (void)snprintf(out, cap, "[%s]:%u", host, ntohs(in->sin6_port));
    } else if (address->ss_family == AF_UNIX) {
        unix_text((const struct sockaddr_un *)address, len, out, cap);
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

static lr_status look_up(const char *host, uint16_t port, int flags, struct sockaddr_storage *out,
                         socklen_t *len, lr_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
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

lr_status lr__address_resolve(const char *host, uint16_t port, struct sockaddr_storage *out,
                              socklen_t *len, lr_error *err)
{
    return look_up(host, port, AI_PASSIVE, out, len, err);
}

lr_status lr__address_numeric(const char *host, uint16_t port, struct sockaddr_storage *out,
                              socklen_t *len, lr_error *err)
{
    return look_up(host, port, AI_NUMERICHOST, out, len, err);
}

lr_status lr__address_unix(const char *path, struct sockaddr_storage *out, socklen_t *len,
                           lr_error *err)
{
    struct sockaddr_un *un = (struct sockaddr_un *)out;
    size_t size = strlen(path);
    bool is_abstract = path[0] == '@';

    if (size == 0 || (is_abstract && size == 1))
        return lr__fail(err, LR_EADDRESS, "unix: the path is empty");
    if (size >= SUN_PATH_SIZE)
        return lr__fail(err, LR_EADDRESS, "unix:%.60s...: %zu bytes, a path has at most %d", path,
                        size, SUN_PATH_SIZE - 1);
    memset(out, 0, sizeof(*out));
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, size);
    if (is_abstract)
        un->sun_path[0] = '\0'; /* an abstract name has a length, no terminator */
    *len = (socklen_t)(SUN_PATH_AT + size + !is_abstract);
    return LR_OK;
}
