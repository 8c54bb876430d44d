/* SPDX-License-Identifier: MIT */
#include "tls_server.h"

#include "core/base/check.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only the server's own allocations fail: the client uses the same heap. */
static void begin_faults(tls_server *server)
{
    (void)lr__mem_fail_at(server->fail_at != 0 ? server->fail_at : UINT64_MAX, server->fail_from);
}

static void end_faults(tls_server *server)
{
    uint64_t tried = lr__mem_fail_at(0, false);

    server->tried += tried;
    if (server->fail_at == 0)
        return;
    if (tried < server->fail_at)
        server->fail_at -= tried;
    else
        server->fail_at = server->fail_from ? 1 : 0;
}

void tls_server_init(tls_server *server, lr_context *context)
{
    memset(server, 0, sizeof(*server));
    server->context = context;
    server->status = LR_EAGAIN;
    lr__buf_pool_init(&server->pool);
    LR_CHECK(lr__replica_new(context, false, 0, &server->replica, NULL) == LR_OK);
}

void tls_server_fini(tls_server *server)
{
    lr__engine_free(server->engine);
    lr__buf_drop(&server->out, &server->pool);
    lr__buf_pool_fini(&server->pool);
    lr__replica_free(server->replica);
}

/* Follows the records in what the engine has taken. False: it took more than one record's rest. */
static bool follow(tls_server *server, lr_slice taken)
{
    bool ended = false;

    while (taken.len > 0) {
        size_t part = 1;

        if (ended)
            return false;
        if (server->header_len < LR__RECORD_HEADER) {
            server->header[server->header_len++] = *taken.bytes;
            if (server->header_len == LR__RECORD_HEADER)
                server->record_left = (uint32_t)server->header[3] << 8 | server->header[4];
        } else {
            part = taken.len < server->record_left ? taken.len : server->record_left;
            server->record_left -= (uint32_t)part;
        }
        taken = lr_slice_of(taken.bytes + part, taken.len - part);
        if (server->header_len == LR__RECORD_HEADER && server->record_left == 0) {
            server->header_len = 0;
            server->records++;
            ended = true;
        }
    }
    return true;
}

static void check_taken(tls_server *server, lr_slice before, lr_slice after)
{
    LR_CHECK(after.len <= before.len);
    LR_CHECK(before.len == 0 || after.bytes == before.bytes + (before.len - after.len));
    LR_CHECK(follow(server, lr_slice_of(before.bytes, before.len - after.len)));
}

static void check_failure(const tls_server *server)
{
    LR_CHECK(server->why.status == server->status);
    LR_CHECK(server->why.text[0] != '\0');
}

static void run_engine(tls_server *server, lr_slice *in)
{
    lr_slice before = *in;

    begin_faults(server);
    server->status = lr__engine_handshake(server->engine, in, &server->why);
    end_faults(server);
    check_taken(server, before, *in);
    if (server->status == LR_EAGAIN)
        LR_CHECK(in->len == 0 || in->len < before.len);
    else if (server->status != LR_OK)
        check_failure(server);
}

static void refuse(tls_server *server)
{
    server->status = server->fault.status;
    memset(&server->why, 0, sizeof(server->why));
    server->why.status = server->status;
    server->why.tls_alert = server->fault.alert;
    if (server->fault.alert <= 0)
        return;
    if (server->engine)
        lr__engine_alert(server->engine, server->fault.alert);
    else
        LR_CHECK(lr__alert_plain(&server->out, &server->pool, server->fault.alert));
}

static bool begin_engine(tls_server *server)
{
    if (lr__gate_decide(&server->hello, server->context, &server->choice, &server->fault) !=
        LR_OK) {
        refuse(server);
        return false;
    }
    if (server->decide)
        server->decide(server);
    begin_faults(server);
    server->status = lr__engine_new(server->replica, &server->choice, &server->out, &server->pool,
                                    &server->engine, &server->why);
    end_faults(server);
    if (server->status != LR_OK) {
        LR_CHECK(server->engine == NULL);
        check_failure(server);
        return false;
    }
    server->status = LR_EAGAIN;
    return true;
}

static bool resume_engine(tls_server *server)
{
    if (lr__hello_same_identity(&server->first, &server->hello)) {
        lr__engine_hello_passed(server->engine);
        return true;
    }
    (void)lr__hello_refuse(&server->fault, LR_EHELLOCHANGED, LR__ALERT_ILLEGAL_PARAMETER,
                           "changed");
    refuse(server);
    return false;
}

static void on_hello(tls_server *server)
{
    uint32_t len = server->gather.message_len;
    bool second = server->gather.second;
    lr_slice framed = lr_slice_of(server->message, LR__RECORD_HEADER + len);

    server->hello_count++;
    if (lr__hello_parse(lr_slice_of(server->message + LR__RECORD_HEADER, len), &server->hello,
                        &server->fault) != LR_OK) {
        refuse(server);
        return;
    }
    if (!(second ? resume_engine(server) : begin_engine(server)))
        return;
    memcpy(server->message, "\x16\x03\x03", 3); /* 3.1 would be refused in a second hello */
    server->message[3] = (uint8_t)(len >> 8);
    server->message[4] = (uint8_t)len;
    while (framed.len > 0 && server->status == LR_EAGAIN && !lr__engine_wants_hello(server->engine))
        run_engine(server, &framed);
    if (server->status == LR_EAGAIN && lr__engine_wants_hello(server->engine)) {
        memcpy(server->first_message, server->message, LR__RECORD_HEADER + len);
        LR_CHECK(lr__hello_parse(lr_slice_of(server->first_message + LR__RECORD_HEADER, len),
                                 &server->first, &server->fault) == LR_OK);
        memset(&server->gather, 0, sizeof(server->gather));
        server->gather.second = true;
        server->gather.early_left = server->first.has_early_data ? LR__EARLY_SKIP_MAX : 0;
    }
}

void tls_server_step(tls_server *server, lr_slice *in)
{
    lr_status status;

    if (server->status != LR_EAGAIN)
        return;
    if (server->engine && !lr__engine_wants_hello(server->engine)) {
        run_engine(server, in);
        return;
    }
    status =
        lr__hello_take(&server->gather, in, server->message + LR__RECORD_HEADER, &server->fault);
    if (status == LR_OK)
        on_hello(server);
    else if (status != LR_EAGAIN)
        refuse(server);
}

lr_status tls_server_read(tls_server *server, lr_slice *in, uint8_t *out, size_t cap, size_t *len)
{
    lr_slice before = *in;
    lr_status status;

    LR_CHECK(server->status == LR_OK);
    begin_faults(server);
    status = lr__engine_read(server->engine, in, out, cap, len, &server->why);
    end_faults(server);
    check_taken(server, before, *in);
    LR_CHECK(*len <= cap);
    if (status == LR_OK) {
        LR_CHECK(in->len < before.len || *len > 0);
        return LR_OK;
    }
    LR_CHECK(*len == 0);
    if (status == LR_EAGAIN) {
        LR_CHECK(in->len == 0);
    } else if (status == LR_ECLOSED) {
        server->status = status;
    } else {
        server->status = status;
        check_failure(server);
    }
    return status;
}

lr_status tls_server_write(tls_server *server, const void *bytes, size_t len)
{
    lr_status status;

    begin_faults(server);
    status = lr__engine_write(server->engine, lr_slice_of(bytes, len), &server->why);
    end_faults(server);
    return status;
}

void tls_server_end(tls_server *server)
{
    begin_faults(server);
    lr__engine_end(server->engine);
    end_faults(server);
}

size_t tls_server_flush(tls_server *server, tls_client *client)
{
    size_t len = lr__buf_len(&server->out);

    tls_bytes_add(&client->in, lr__buf_slice(&server->out).bytes, len);
    lr__buf_drop(&server->out, &server->pool);
    return len;
}

void tls_server_feed(tls_server *server, tls_client *client, size_t piece)
{
    size_t used = 0;

    while (used < client->out.len && server->status == LR_EAGAIN) {
        size_t len = client->out.len - used;
        lr_slice in = lr_slice_of(client->out.bytes + used, piece && piece < len ? piece : len);
        size_t given = in.len;

        tls_server_step(server, &in);
        used += given - in.len;
    }
    tls_bytes_drop(&client->out, used);
}

void tls_shake_hands(tls_server *server, tls_client *client, size_t piece)
{
    for (;;) {
        size_t sent;

        tls_client_step(client);
        sent = client->out.len;
        tls_server_feed(server, client, piece);
        if (tls_server_flush(server, client) == 0 && (sent == 0 || server->status != LR_EAGAIN))
            break;
    }
    tls_client_step(client);
}

lr_status tls_server_read_all(tls_server *server, tls_client *client, tls_bytes *plain)
{
    static uint8_t room[16384];
    lr_slice in = lr_slice_of(client->out.bytes, client->out.len);
    lr_status status;
    size_t len;

    do {
        status = tls_server_read(server, &in, room, sizeof(room), &len);
        if (plain)
            tls_bytes_add(plain, room, len);
    } while (status == LR_OK);
    tls_bytes_drop(&client->out, client->out.len - in.len);
    return status;
}

lr_context_options tls_identity(const char *cert, const char *key)
{
    lr_context_options options = {LR_CONTEXT_OPTIONS, .cert = lr_slice_of(cert, strlen(cert)),
                                  .key = lr_slice_of(key, strlen(key))};

    return options;
}

void tls_pair_begin(tls_pair *pair, const lr_context_options *options, const tls_client_plan *plan)
{
    lr_error err;

    memset(pair, 0, sizeof(*pair));
    tls_world_enter(&pair->world, 1);
    pair->live = lr__mem_read().live;
    if (lr_context_new(options, &pair->context, &err) != LR_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
    tls_server_init(&pair->server, pair->context);
    tls_client_init(&pair->client, plan);
}

void tls_pair_end(tls_pair *pair)
{
    tls_server_fini(&pair->server);
    tls_client_fini(&pair->client);
    lr_context_release(pair->context);
    LR_CHECK(lr__mem_read().live == pair->live);
    tls_world_leave(&pair->world);
}
