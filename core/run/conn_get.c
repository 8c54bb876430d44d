/* SPDX-License-Identifier: MIT */
/* core/run/conn_get.c: what a connection tells of itself. Everything was copied when it was agreed;
 * only addresses are asked of the system. */
#include "core/run/conn.h"

#include "core/io/address.h"
#include "core/run/client.h"
#include "core/run/workers.h"
#include "core/tls/names.h"

#include <string.h>

lr_worker *lr_conn_worker(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->worker;
}

struct lr_server *lr_conn_server(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->part->server->is_client ? NULL : c->part->server;
}

struct lr_client *lr_conn_client(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->part->server->is_client ? LR_CONTAINER_OF(c->part->server, lr_client, base) : NULL;
}

bool lr_conn_is_tls(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->is_tls;
}

uint32_t lr_conn_listener(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->listener;
}

lr_conn_id lr_conn_id_of(const lr_conn *c)
{
    lr_conn_id id = {0};

    LR_BUG_IF(!c, id);
    lr__dcheck_on_worker(c->worker);
    id.worker = c->worker;
    id.slot = c->slot;
    id.generation = c->generation;
    return id;
}

lr_conn *lr_conn_find(lr_conn_id id)
{
    if (!id.worker)
        return NULL;
    lr__dcheck_on_worker(id.worker);
    return lr__slab_find(&id.worker->conns, id.slot, id.generation);
}

void *lr_conn_user(lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->user;
}

uint64_t lr_conn_number(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return (uint64_t)c->worker->index << 56 | (uint64_t)c->slot << 32 | c->generation;
}

lr_tls_version lr_conn_version(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->facts.version;
}

const char *lr_conn_cipher(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return lr__suite_name(c->facts.suite);
}

const char *lr_conn_group(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return lr__group_name(c->facts.group);
}

bool lr_conn_is_resumed(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->facts.resumed;
}

lr_slice lr_conn_servername(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    if (!c->name)
        return lr_slice_of(NULL, 0);
    return lr_slice_of(c->name->bytes + c->name->raw_len, c->name->len);
}

lr_slice lr_conn_alpn(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->alpn;
}

bool lr_conn_is_authorized(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->peer && c->peer->code == LR__VERIFY_OK;
}

const char *lr_conn_authorization_error(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return lr__verify_name(c->peer ? c->peer->code : LR__VERIFY_OK);
}

uint32_t lr_conn_peer_certificate_count(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->peer ? c->peer->count : 0;
}

lr_slice lr_conn_peer_certificate(const lr_conn *c, uint32_t index)
{
    LR_CHECK(c != NULL);
    return c->peer && index < c->peer->count ? c->peer->certificates[index] : lr_slice_of(NULL, 0);
}

const char *lr_conn_ja4(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->ja4 ? c->ja4 : "";
}

bool lr_conn_peer_fingerprint256(const lr_conn *c, char out[96])
{
    static const char digits[] = "0123456789ABCDEF";

    LR_BUG_IF(!c || !out, false);
    lr__dcheck_on_worker(c->worker);
    out[0] = '\0';
    if (!c->peer || !c->peer->has_digest)
        return false;
    for (size_t i = 0; i < sizeof(c->peer->digest); i++) {
        out[3 * i] = digits[c->peer->digest[i] >> 4];
        out[3 * i + 1] = digits[c->peer->digest[i] & 15];
        out[3 * i + 2] = i + 1 < sizeof(c->peer->digest) ? ':' : '\0';
    }
    return true;
}

/* The socket's. False: the system does not tell. */
static bool raw_remote(const lr_conn *c, struct sockaddr_storage *name, socklen_t *len)
{
    lr_worker *w = c->worker;

    if (c->remote.sin6_family == AF_UNSPEC)
        return false;
    memset(name, 0, sizeof(*name));
    memcpy(name, &c->remote, sizeof(c->remote));
    *len = sizeof(c->remote);
    if (name->ss_family != AF_UNIX)
        return true;
    /* A path is too long to be kept. The system tells it for as long as the connection stands;
     * before and after that it is a unix socket without a name. */
    *len = sizeof(*name);
    if (lr__conn_is_over(c) ||
        w->ring->backend->sock_name(w->workers->world, c->sock, true, name, len) != 0) {
        name->ss_family = AF_UNIX;
        *len = sizeof(name->ss_family);
    }
    return true;
}

static bool raw_local(const lr_conn *c, struct sockaddr_storage *name, socklen_t *len)
{
    lr_worker *w = c->worker;

    *len = sizeof(*name);
    return !lr__conn_is_over(c) &&
           w->ring->backend->sock_name(w->workers->world, c->sock, false, name, len) == 0;
}

static void name_of(const lr_address *address, struct sockaddr_storage *name, socklen_t *len)
{
    struct sockaddr_in *in = (struct sockaddr_in *)name;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)name;

    memset(name, 0, sizeof(*name));
    *len = sizeof(name->ss_family);
    if (address->family == LR_FAMILY_IPV4) {
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        memcpy(&in->sin_addr, address->bytes, sizeof(in->sin_addr));
    } else if (address->family == LR_FAMILY_IPV6) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(address->port);
        memcpy(&in6->sin6_addr, address->bytes, sizeof(in6->sin6_addr));
    } else {
        name->ss_family = AF_UNIX;
    }
}

void lr__conn_source(const lr_conn *c, struct sockaddr_in6 *out)
{
    struct sockaddr_storage name;
    socklen_t len;

    *out = c->remote;
    if (!c->told || c->told->remote.family == LR_FAMILY_NONE)
        return;
    name_of(&c->told->remote, &name, &len);
    memcpy(out, &name, sizeof(*out));
}

static lr_address address_of(const struct sockaddr_storage *name)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)name;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)name;
    lr_address address = {.port = lr__address_port(name)};

    if (name->ss_family == AF_INET) {
        address.family = LR_FAMILY_IPV4;
        memcpy(address.bytes, &in->sin_addr, sizeof(in->sin_addr));
    } else if (name->ss_family == AF_INET6) {
        address.family = LR_FAMILY_IPV6;
        memcpy(address.bytes, &in6->sin6_addr, sizeof(in6->sin6_addr));
    } else if (name->ss_family == AF_UNIX) {
        address.family = LR_FAMILY_UNIX;
    }
    return address;
}

typedef enum side { RAW_REMOTE, RAW_LOCAL, REMOTE, LOCAL } side;

static bool find_name(const lr_conn *c, side which, struct sockaddr_storage *name, socklen_t *len)
{
    bool remote = which == RAW_REMOTE || which == REMOTE;

    lr__dcheck_on_worker(c->worker);
    if (which >= REMOTE && c->told) {
        const lr_address *told = remote ? &c->told->remote : &c->told->local;

        if (told->family != LR_FAMILY_NONE) {
            name_of(told, name, len);
            return true;
        }
    }
    return remote ? raw_remote(c, name, len) : raw_local(c, name, len);
}

static bool text_of(const lr_conn *c, side which, char *out, size_t cap)
{
    struct sockaddr_storage name;
    socklen_t len;

    if (cap == 0)
        return false;
    out[0] = '\0';
    if (!find_name(c, which, &name, &len))
        return false;
    lr__address_text(&name, len, out, cap);
    return true;
}

bool lr_conn_remote(const lr_conn *c, char *out, size_t cap)
{
    LR_BUG_IF(!c || !out, false);
    return text_of(c, REMOTE, out, cap);
}

bool lr_conn_local(const lr_conn *c, char *out, size_t cap)
{
    LR_BUG_IF(!c || !out, false);
    return text_of(c, LOCAL, out, cap);
}

bool lr_conn_remote_raw(const lr_conn *c, char *out, size_t cap)
{
    LR_BUG_IF(!c || !out, false);
    return text_of(c, RAW_REMOTE, out, cap);
}

bool lr_conn_local_raw(const lr_conn *c, char *out, size_t cap)
{
    LR_BUG_IF(!c || !out, false);
    return text_of(c, RAW_LOCAL, out, cap);
}

static lr_address address_on(const lr_conn *c, side which)
{
    struct sockaddr_storage name;
    lr_address none = {.family = LR_FAMILY_NONE};
    socklen_t len;

    return find_name(c, which, &name, &len) ? address_of(&name) : none;
}

lr_address lr_conn_remote_address(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return address_on(c, REMOTE);
}

lr_address lr_conn_local_address(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return address_on(c, LOCAL);
}

lr_conn_bytes lr_conn_byte_counts(const lr_conn *c)
{
    LR_CHECK(c != NULL);
    return c->bytes;
}

bool lr_conn_set_fragment_size_max(lr_conn *c, uint32_t bytes)
{
    LR_BUG_IF(!c, false);
    lr__dcheck_on_worker(c->worker);
    if (bytes < LR__FRAGMENT_MIN || bytes > LR__FRAGMENT_MAX)
        return false;
    c->fragment_size_max = bytes;
    return true;
}
