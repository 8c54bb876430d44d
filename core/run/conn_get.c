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

bool lr_conn_remote(const lr_conn *c, char *out, size_t cap)
{
    struct sockaddr_storage name = {0};
    socklen_t len = sizeof(name);
    lr_worker *w;

    LR_BUG_IF(!c || !out, false);
    w = c->worker;
    lr__dcheck_on_worker(w);
    if (cap == 0)
        return false;
    out[0] = '\0';
    if (c->remote.sin6_family == AF_UNSPEC)
        return false;
    memcpy(&name, &c->remote, sizeof(c->remote));
    if (name.ss_family != AF_UNIX) {
        lr__address_text(&name, sizeof(c->remote), out, cap);
        return true;
    }
    /* A path is too long to be kept. The system tells it for as long as the connection stands;
     * before and after that it is a unix socket without a name. */
    if (lr__conn_is_over(c) ||
        w->ring->backend->sock_name(w->workers->world, c->sock, true, &name, &len) != 0) {
        name.ss_family = AF_UNIX;
        len = sizeof(name.ss_family);
    }
    lr__address_text(&name, len, out, cap);
    return true;
}

bool lr_conn_local(const lr_conn *c, char *out, size_t cap)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof(name);
    lr_worker *w;

    LR_BUG_IF(!c || !out, false);
    w = c->worker;
    lr__dcheck_on_worker(w);
    if (cap == 0)
        return false;
    out[0] = '\0';
    if (lr__conn_is_over(c) ||
        w->ring->backend->sock_name(w->workers->world, c->sock, false, &name, &len) != 0)
        return false;
    lr__address_text(&name, len, out, cap);
    return true;
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
