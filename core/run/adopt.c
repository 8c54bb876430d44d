/* SPDX-License-Identifier: MIT */
/* core/run/adopt.c: sockets that the program had, as connections of a server. */
#include "core/base/check.h"
#include "core/base/status.h"
#include "core/run/conn.h"
#include "core/run/server.h"
#include "core/run/worker.h"
#include "core/run/workers.h"

static lr_status check_options(const lr_server *s, const lr_adopt_options *options, lr_error *err)
{
    size_t head_max = options->preface ? LR_PREFACE_MAX : LR__PARKED_MAX;

    if (options->preface && !s->handlers.on_preface)
        return lr__fail(err, LR_EINVAL, "lr_adopt_options: preface needs on_preface");
    if (!options->head.bytes && options->head.len != 0)
        return lr__fail(err, LR_EINVAL, "lr_adopt_options: head is null, but has a length");
    if (options->head.len > head_max)
        return lr__fail(err, LR_EINVAL, "lr_adopt_options: head has %zu bytes, at most %zu may be",
                        options->head.len, head_max);
    if (options->plain && options->context)
        return lr__fail(err, LR_EINVAL, "lr_adopt_options: plain, but there is a context");
    if (!options->plain && !s->has_context)
        return lr__fail(err, LR_ESTATE, "lr_server_adopt: the server was made without a context");
    return LR_OK;
}

lr_status lr_server_adopt(lr_server *s, lr_worker *w, int sock, const lr_adopt_options *given,
                          lr_conn **out, lr_error *err)
{
    lr_adopt_options options = {.size = sizeof(options)};
    lr__conn_entry entry = {.listener = LR_NONE};
    lr_status status;
    lr_conn *c;
    int ret;

    LR_BUG_IF(!s || !w || s->is_client || s->workers != w->workers, LR_EINVAL);
    lr__dcheck_on_worker(w);
    if (given)
        LR_TRY(lr__options_adopt(&options, sizeof(options), given, "lr_adopt_options", err));
    LR_TRY(check_options(s, &options, err));
    entry.part = &s->parts[w->index];
    if (entry.part->draining || entry.part->cut || w->finishing)
        return lr__fail(err, LR_ESTATE, "lr_server_adopt: the server drains");
    ret = w->ring->backend->adopt(w->workers->world, sock);
    if (ret < 0)
        return lr__fail_sys(err, LR_EINVAL, -ret, "lr_server_adopt: no connected stream socket");
    entry.is_tls = !options.plain;
    entry.has_preface = options.preface;
    entry.head = options.head;
    entry.context = options.context;
    status = lr__conn_adopt(&entry, sock, &c);
    if (status != LR_OK)
        return lr__fail(err, status, "lr_server_adopt: %s", lr_status_text(status));
    if (out)
        *out = c;
    return LR_OK;
}
