/* SPDX-License-Identifier: MIT */
#include "tools/serve_proxy.h"

/* A hook gets its connection, whose server's user belongs to the handler: so the list is found
 * here. Written before the workers start and after they have ended. */
static const lr_proxy *list;

static lr_status on_preface(lr_conn *c, lr_slice bytes, size_t *used, const char **reason)
{
    return lr_proxy_preface(list, c, bytes, used, reason);
}

lr_status serve_proxy_make(const serve_options *options, lr_proxy **out, lr_error *err)
{
    lr_proxy_options proxy = {LR_PROXY_OPTIONS, .senders = options->proxy_senders,
                              .sender_count = options->proxy_sender_count};
    lr_status status = LR_OK;

    *out = NULL;
    if (options->proxy_sender_count != 0)
        status = lr_proxy_new(&proxy, out, err);
    list = *out;
    return status;
}

void serve_proxy_use(lr_server_options *server, lr_handlers *room)
{
    *room = *server->handlers;
    room->on_preface = on_preface;
    server->handlers = room;
}

void serve_proxy_free(lr_proxy *p)
{
    list = NULL;
    lr_proxy_free(p);
}
