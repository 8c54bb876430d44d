/* SPDX-License-Identifier: MIT */
/* fuzz_session.c: tickets of clients, and values of a store. The input is taken as it is, which
 * must not open, but for what was sealed here; and, to get behind the seal, it is sealed by the
 * fuzzer as what stands there: note, wolfSSL's part and certificates. Then anything may be in it,
 * and nothing must break.
 *
 * The first byte of the input says which of them. */
#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/tls/library.h"
#include "tests/live/pki.h"
#include "tests/unit/sealer.h"
#include "tests/unit/tls_client.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t id[LR__SESSION_ID] = "the id of a session in the store";
static tls_world world;
static lr_context *context;
static lr__replica *replica;
static lr__key_set keys;

static void begin(void)
{
    lr_context_options options = {LR_CONTEXT_OPTIONS, .request_cert = LR_ON,
                                  .reject_unauthorized = LR_OFF};
    lr_error err;

    tls_world_enter(&world, 3);
    options.cert = pki_file("server.pem");
    options.key = pki_file("rsa.key");
    options.ca = pki_file("root.pem");
    if (lr__tls_init(&err) != LR_OK || lr_context_new(&options, &context, &err) != LR_OK ||
        lr__replica_new(context, true, 0, &replica, &err) != LR_OK)
        abort();
    sealer_keys(&keys, 1, 2);
}

static void end(lr__session *session, lr__session_verdict verdict)
{
    LR_CHECK((session != NULL) == (verdict == LR__SESSION_GOOD));
    if (session && session->peer != LR__PEER_NOT_ASKED)
        lr__peer_free(lr__session_take_peer(session));
    lr__session_free(session);
}

static lr__session_verdict open_ticket(const lr__sessions *sessions, lr_slice wire)
{
    lr__session *session;
    lr__session_verdict verdict = lr__session_open_ticket(sessions, LR_TLS_1_3, wire, 1, &session);

    if (session)
        LR_CHECK(session->wolf.bytes == session->bytes && session->wolf.len < session->size);
    end(session, verdict);
    return verdict;
}

static lr__session_verdict open_value(const lr__sessions *sessions, lr_slice value)
{
    lr__session *session;
    lr__session_verdict verdict = lr__session_open_stored(
        sessions, replica, LR_TLS_1_3, lr_slice_of(id, sizeof(id)), value, 1, &session);

    if (session)
        LR_CHECK(session->wolf.bytes + session->wolf.len <= session->bytes + session->size);
    end(session, verdict);
    return verdict;
}

/* Opens the seal of a good one, puts the input in place of its end, and seals it again. */
static void reseal(const lr__sessions *sessions, lr__sessions *maker, lr_slice input, bool is_value)
{
    uint8_t out[SEALER_ROOM], bound[LR__SEAL_BOUND_MAX], *at = out + 32;
    const uint8_t *key = lr__keys_current(keys.keys);
    size_t len = is_value ? sealer_value(maker, LR_TLS_1_3, id, input, out)
                          : sealer_ticket(maker, LR_TLS_1_3, input, out);
    size_t bound_len = 0, header = is_value ? 32 : 34, sealed = len - header - LR__SEAL_MAC, part;

    LR_CHECK(len != 0);
    bound[bound_len++] = is_value ? LR__SESSION_STORED : LR__SESSION_TICKET;
    for (int shift = 24; shift >= 0; shift -= 8)
        bound[bound_len++] = (uint8_t)(LIBWOLFSSL_VERSION_HEX >> shift);
    memcpy(bound + bound_len, lr__context_policy(context), 32);
    bound_len += 32;
    if (is_value) {
        memcpy(bound + bound_len, id, sizeof(id));
        bound_len += sizeof(id);
    }
    at = out + header;
    LR_CHECK(lr__unseal(key, lr_slice_of(bound, bound_len), at, sealed, out + LR__KEY_NAME,
                        at + sealed));
    part = input.len < sealed ? input.len : sealed;
    if (part != 0)
        memcpy(at + sealed - part, input.bytes, part);
    LR_CHECK(lr__seal(key, lr_slice_of(bound, bound_len), at, sealed, out, out + LR__KEY_NAME,
                      at + sealed));
    if (is_value)
        (void)open_value(sessions, lr_slice_of(out, len));
    else
        (void)open_ticket(sessions, lr_slice_of(out, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lr__sessions *sessions, *maker;
    lr_slice input = lr_slice_of(data + 1, size - 1);
    lr__session_verdict verdict;

    if (!context)
        begin();
    if (size == 0)
        return 0;
    sessions = sealer_new(context, &keys);
    maker = sealer_new(context, &keys);
    sealer_set_peer(maker, LR__PEER_AUTHORIZED, 0, INT64_MAX);
    if (data[0] % 4 == 0) {
        verdict = open_ticket(sessions, input);
        LR_CHECK(verdict != LR__SESSION_GOOD && verdict != LR__SESSION_UNFIT);
    } else if (data[0] % 4 == 1) {
        verdict = open_value(sessions, input);
        LR_CHECK(verdict != LR__SESSION_GOOD && verdict != LR__SESSION_UNFIT);
    } else {
        if (input.len > LR__SESSION_WOLF_MAX)
            input.len = LR__SESSION_WOLF_MAX;
        reseal(sessions, maker, input, data[0] % 4 == 3);
    }
    lr__sessions_free(maker);
    lr__sessions_free(sessions);
    return 0;
}
