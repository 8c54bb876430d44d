/* SPDX-License-Identifier: MIT */
#include "core/run/client.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/io/address.h"
#include "core/run/conn.h"
#include "core/run/worker.h"
#include "core/run/workers.h"

enum { CONNECT_TIMEOUT_MS = 10000 };

lr_status lr_client_new(lr_workers *on, const lr_client_options *given, lr_client **out,
                        lr_error *err)
{
    lr_client_options options;
    lr_server_options as_server = {.size = sizeof(as_server)};
    lr_client *client;
    lr_status status;

    LR_BUG_IF(!on || !out, LR_EINVAL);
    *out = NULL;
    LR_TRY(lr__options_adopt(&options, sizeof(options), given, "lr_client_options", err));
    as_server.handlers = options.handlers;
    as_server.user = options.user;
    as_server.conn_user_size = options.conn_user_size;
    as_server.idle_timeout_ms = options.idle_timeout_ms;
    as_server.handshake_timeout_ms =
        options.connect_timeout_ms ? options.connect_timeout_ms : CONNECT_TIMEOUT_MS;
    client = lr__alloc_zero(1, sizeof(*client));
    if (!client)
        return lr__fail(err, LR_ENOMEM, "lr_client: out of memory");
    client->base.is_client = true;
    status = lr__server_init(&client->base, on, &as_server, "lr_client_options", err);
    if (status != LR_OK) {
        lr__free(client);
        return status;
    }
    *out = client;
    return LR_OK;
}

static lr_status resolve(const lr_connect_options *options, struct sockaddr_storage *address,
                         socklen_t *len, lr_error *err)
{
    if (options->path && (options->host || options->port))
        return lr__fail(err, LR_EOPTION, "lr_connect_options: path goes with no host and port");
    if (options->path)
        return lr__address_unix(options->path, address, len, err);
    if (!options->host)
        return lr__fail(err, LR_EOPTION, "lr_connect_options: neither host nor path");
    return lr__address_numeric(options->host, options->port, address, len, err);
}

lr_status lr_client_connect(lr_client *client, lr_worker *worker, const lr_connect_options *given,
                            lr_conn **out, lr_error *err)
{
    struct sockaddr_storage address;
    lr_connect_options options;
    lr__part *part;
    socklen_t len;
    int sock;

    LR_BUG_IF(!client || !worker || !out || worker->workers != client->base.workers, LR_EINVAL);
    *out = NULL;
    lr__dcheck_on_worker(worker);
    part = &client->base.parts[worker->index];
    LR_TRY(lr__options_adopt(&options, sizeof(options), given, "lr_connect_options", err));
    LR_TRY(resolve(&options, &address, &len, err));
    if (part->cut || worker->finishing)
        return lr__fail(err, LR_ESTATE, "lr_client_connect: the workers have been stopped");
    sock = worker->ring->backend->socket(worker->workers->world, address.ss_family);
    if (sock < 0)
        return lr__fail_sys(err, LR_ESYSTEM, -sock, "lr_client_connect: socket");
    *out = lr__conn_make(part, sock, &address, len);
    if (!*out)
        return lr__fail(err, LR_ENOMEM, "lr_client_connect: out of memory");
    return LR_OK;
}

uint64_t lr_client_connection_count(const lr_client *client)
{
    LR_BUG_IF(!client, 0);
    return lr_server_connection_count(&client->base);
}

void *lr_client_user(const lr_client *client)
{
    LR_BUG_IF(!client, NULL);
    return client->base.user;
}

void lr_client_free(lr_client *client)
{
    if (!client)
        return;
    lr__server_fini(&client->base);
    lr__free(client);
}
