/* SPDX-License-Identifier: MIT */
/* core/run/conn_preface.c: a connection before its protocol: the bytes that on_preface takes.
 *
 * The hook sees what has come, from the first byte on and in one piece: as long as it asks for more
 * the bytes are copied, at most LR_PREFACE_MAX of them. What it does not take stays input: it goes
 * to the gate, or to the handler of a plain connection, as if it had come first. The handshake's
 * deadline runs all the time. */
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/run/conn.h"
#include "core/run/hooks.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(lr__conn_preface) <= 1024, "a peer buys 1 KB of state");

static lr_status check_used(size_t used, size_t len)
{
    LR_BUG_IF(used > len, LR_EPREFACE);
    return LR_OK;
}

/* LR_OK: the preface is *used bytes. LR_EAGAIN: it is not complete. Any other: the connection is
 * over. */
static lr_status ask(lr_conn *c, lr_slice bytes, size_t *used)
{
    const char *reason = "the preface was refused";
    lr_worker *w = c->worker;
    uint64_t before = lr__hook_enter(w, LR__HOOK_PREFACE);
    lr_status status;

    *used = 0;
    status = c->part->server->handlers.on_preface(c, bytes, used, &reason);
    lr__hook_leave(w, before);
    if (lr__conn_is_over(c))
        return LR_ECLOSED;
    if (status == LR_OK)
        status = check_used(*used, bytes.len);
    if (status == LR_EAGAIN && bytes.len == LR_PREFACE_MAX) {
        status = LR_EPREFACE;
        reason = "the preface is too long";
    }
    if (status == LR_OK || status == LR_EAGAIN)
        return status;
    if (status == LR_ENOMEM)
        lr__conn_fail_as(c, LR_ENOMEM, "out of memory for the preface");
    else
        lr__conn_fail_as(c, LR_EPREFACE, reason);
    return status;
}

static void end_preface(lr_conn *c)
{
    struct sockaddr_in6 source;

    lr__free(c->preface);
    c->preface = NULL;
    /* Whom it speaks for was not known before: all clients of a proxy come from its address. */
    lr__conn_source(c, &source);
    if (!lr__source_may_connect(c->part, &source)) {
        lr__conn_fail_as(c, LR_ESOURCE, lr_status_text(LR_ESOURCE));
        return;
    }
    if (c->is_tls)
        lr__conn_enter(c, LR__CONN_HELLO);
    else
        lr__conn_enter_open(c);
}

void lr__conn_begin_preface(lr_conn *c)
{
    size_t used;

    if (ask(c, lr_slice_of(NULL, 0), &used) == LR_OK)
        end_preface(c);
}

/* Bytes that were copied and are not the hook's go first, before what is held. */
static bool give_back(lr_conn *c, size_t used)
{
    lr_slice rest = lr_slice_of(c->preface->bytes + used, c->preface->len - used);

    LR_DCHECK(lr__buf_len(&c->parked) == 0);
    if (!lr__buf_append(&c->parked, &c->worker->buffers, rest))
        return false;
    c->worker->live.parked_bytes += rest.len;
    return true;
}

static bool keep(lr_conn *c, lr_slice bytes)
{
    if (!c->preface) {
        c->preface = lr__alloc(sizeof(*c->preface));
        if (!c->preface)
            return false;
        c->preface->len = 0;
    }
    LR_DCHECK(c->preface->len + bytes.len <= sizeof(c->preface->bytes));
    memcpy(c->preface->bytes + c->preface->len, bytes.bytes, bytes.len);
    c->preface->len = (uint16_t)(c->preface->len + bytes.len);
    return true;
}

void lr__conn_take_preface(lr_conn *c, lr_slice *in)
{
    size_t before = c->preface ? c->preface->len : 0, used = 0;
    lr_slice more = *in;
    lr_slice all = more;
    lr_status status;

    if (more.len > LR_PREFACE_MAX - before)
        all.len = more.len = LR_PREFACE_MAX - before;
    if (before > 0) {
        memcpy(c->preface->bytes + before, more.bytes, more.len);
        all = lr_slice_of(c->preface->bytes, before + more.len);
    }
    status = ask(c, all, &used);
    if (status == LR_EAGAIN && keep(c, more)) {
        *in = lr_slice_of(in->bytes + more.len, in->len - more.len);
    } else if (status == LR_OK && used >= before) {
        *in = lr_slice_of(in->bytes + (used - before), in->len - (used - before));
        end_preface(c);
    } else if (status == LR_OK && give_back(c, used)) {
        end_preface(c);
    } else if (status == LR_OK || status == LR_EAGAIN) {
        lr__conn_fail_as(c, LR_ENOMEM, "out of memory for the preface");
    }
}

static bool is_family(const lr_address *address)
{
    return !address || address->family == LR_FAMILY_NONE || address->family == LR_FAMILY_IPV4 ||
           address->family == LR_FAMILY_IPV6 || address->family == LR_FAMILY_UNIX;
}

lr_status lr_conn_set_addresses(lr_conn *c, const lr_address *remote, const lr_address *local)
{
    LR_BUG_IF(!c || !is_family(remote) || !is_family(local), LR_EINVAL);
    lr__dcheck_on_worker(c->worker);
    if (c->state != LR__CONN_PREFACE)
        return LR_ESTATE;
    if (!c->told)
        c->told = lr__alloc_zero(1, sizeof(*c->told));
    if (!c->told)
        return LR_ENOMEM;
    memset(c->told, 0, sizeof(*c->told));
    if (remote)
        c->told->remote = *remote;
    if (local)
        c->told->local = *local;
    return LR_OK;
}
