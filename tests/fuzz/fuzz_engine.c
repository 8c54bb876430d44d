/* SPDX-License-Identifier: MIT */
/* Fuzzes core/tls/engine.h behind the gate. The first byte tells what the rest is:
 *   0      wire bytes from the start
 *   1, 2   wire bytes behind a hello of TLS 1.3, of TLS 1.2, to which the client has no keys
 *   3, 4   wire bytes behind the server's flight, TLS 1.3 and 1.2
 *   5, 6   wire bytes behind a whole handshake, TLS 1.3 and 1.2
 *   7, 8   the same, but as records that the client seals: type, two bytes of length, content
 *   9, 10  the second flight of the client, TLS 1.3 and 1.2, changed: pairs of a place (two bytes)
 *          and what is added to the byte there
 * Checked are memory (the sanitizers do), what tls_server.c checks at each step (one record per
 * call at most), that output stays bounded by the calls made, that no failure is blamed on us, and
 * that nothing is left allocated. */
#include "../unit/fixtures.h"
#include "../unit/hello_maker.h"
#include "../unit/tls_server.h"

#include "core/base/check.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum {
    FLIGHT_MAX = 4096, /* what one call in the handshake may send: ServerHello to Finished */
    REPLY_MAX = 128    /* what one record may be answered with */
};

static tls_pair pair;

/* A failure that bytes of the peer caused is told, and is never an internal_error. */
static void check_over(void)
{
    lr_status status = pair.server.status;

    if (status == LR_EAGAIN || status == LR_OK || status == LR_ECLOSED || status == LR_EALERT)
        return;
    LR_CHECK(pair.server.why.tls_alert > 0);
    LR_CHECK(pair.server.why.tls_alert != LR__ALERT_INTERNAL_ERROR);
    LR_CHECK(lr__buf_len(&pair.server.out) >= 7);
}

static void feed_handshake(lr_slice in)
{
    while (in.len > 0 && pair.server.status == LR_EAGAIN) {
        uint32_t before = lr__buf_len(&pair.server.out);

        tls_server_step(&pair.server, &in);
        LR_CHECK(lr__buf_len(&pair.server.out) - before <= FLIGHT_MAX);
    }
}

static void feed_records(lr_slice in)
{
    static uint8_t room[16384];
    lr_status status = pair.server.status;
    size_t len;

    while (status == LR_OK) {
        uint32_t before = lr__buf_len(&pair.server.out);

        status = tls_server_read(&pair.server, &in, room, sizeof(room), &len);
        LR_CHECK(lr__buf_len(&pair.server.out) - before <= REPLY_MAX);
    }
}

static void feed(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1); /* of exactly that size */

    LR_CHECK(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    if (pair.server.status == LR_OK)
        feed_records(lr_slice_of(copy, len));
    else
        feed_handshake(lr_slice_of(copy, len));
    check_over();
    free(copy);
}

static void make_hello(unsigned flags)
{
    static hello_plan plan;
    static uint8_t message[HELLO_ROOM], wire[HELLO_ROOM + 64];

    memset(&plan, 0, sizeof(plan));
    plan.flags = flags;
    plan.session_id_len = 32;
    feed_handshake(lr_slice_of(wire, hello_cut(message, hello_make(&plan, message), 16384, wire)));
    LR_CHECK(pair.server.status == LR_EAGAIN);
}

static void go_halfway(void)
{
    tls_client_step(&pair.client);
    tls_server_feed(&pair.server, &pair.client, 0);
    LR_CHECK(pair.server.status == LR_EAGAIN);
}

static void go_whole(void)
{
    tls_shake_hands(&pair.server, &pair.client, 0);
    LR_CHECK(pair.server.status == LR_OK && pair.client.done);
}

static void feed_sealed(const uint8_t *bytes, size_t len)
{
    while (len >= 3 && pair.server.status == LR_OK) {
        size_t part = (size_t)bytes[1] << 8 | bytes[2];

        part = part < len - 3 ? part : len - 3;
        tls_client_seal(&pair.client, bytes[0], bytes + 3, part);
        feed_records(lr_slice_of(pair.client.out.bytes, pair.client.out.len));
        tls_bytes_drop(&pair.client.out, pair.client.out.len);
        bytes += 3 + part;
        len -= 3 + part;
    }
    check_over();
}

static void feed_changed(const uint8_t *bytes, size_t len)
{
    go_halfway();
    (void)tls_server_flush(&pair.server, &pair.client);
    tls_client_step(&pair.client);
    for (; len >= 3; bytes += 3, len -= 3) {
        size_t at = ((size_t)bytes[0] << 8 | bytes[1]) % pair.client.out.len;

        pair.client.out.bytes[at] = (uint8_t)(pair.client.out.bytes[at] + bytes[2]);
    }
    feed_handshake(lr_slice_of(pair.client.out.bytes, pair.client.out.len));
    check_over();
}

static void run(uint8_t mode, const uint8_t *bytes, size_t len)
{
    switch (mode) {
    case 1:
        make_hello(HELLO_TLS13);
        break;
    case 2:
        make_hello(HELLO_TLS12);
        break;
    case 3:
    case 4:
        go_halfway();
        break;
    case 5:
    case 6:
        go_whole();
        break;
    case 7:
    case 8:
        go_whole();
        feed_sealed(bytes, len);
        return;
    case 9:
    case 10:
        feed_changed(bytes, len);
        return;
    default:
        break;
    }
    feed(bytes, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lr_context_options options = tls_identity(fixture_ecdsa, fixture_ecdsa_key);
    tls_client_plan plan = {.name = "localhost", .alpn = "h2", .renegotiation = true};
    uint8_t mode;

    if (len == 0)
        return 0;
    mode = bytes[0];
    options.alpn = "h2";
    options.alpn_required = LR_OFF;
    if (mode != 0 && mode <= 10 && mode % 2 == 0)
        plan.version_max = LR_TLS_1_2;
    tls_pair_begin(&pair, &options, &plan);
    run(mode, bytes + 1, len - 1);
    tls_pair_end(&pair);
    return 0;
}
