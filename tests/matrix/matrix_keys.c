/* SPDX-License-Identifier: MIT */
/* matrix_keys.c: every ticket and every stored session that a client got, tried with keys that are
 * not theirs: none at all (GnuTLS's CVE-2020-13777), what uninitialised memory and debuggers leave,
 * the other slots' and another server's. Each is tried under its own name too, as a slot would be
 * whose secret is missing. */
#include "matrix.h"

#include "core/base/mem.h"
#include "core/tls/context.h"
#include "core/tls/keys.h"
#include "core/tls/session.h"

#include <stdlib.h>
#include <string.h>
#include <wolfssl/version.h>

enum { WIRE_MAX = 2048, SECRET = LR_TICKET_KEY_SIZE - LR__KEY_NAME, HEADER = 32 };

typedef struct kept {
    uint8_t bound[LR__SEAL_BOUND_MAX];
    size_t bound_len;
    size_t skip; /* between salt and what is sealed */
    size_t len;
    uint8_t wire[WIRE_MAX];
} kept;

static struct {
    kept *items;
    size_t count, cap;
} all;

/* The associated data as core/tls/session.c has it. */
static void bind_to(kept *k, const lr_context *context, const uint8_t *id)
{
    uint8_t *at = k->bound;

    *at++ = id ? LR__SESSION_STORED : LR__SESSION_TICKET;
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (uint8_t)((uint32_t)LIBWOLFSSL_VERSION_HEX >> shift);
    memcpy(at, lr__context_policy(context), 32);
    at += 32;
    if (id) {
        memcpy(at, id, LR__SESSION_ID);
        at += LR__SESSION_ID;
    }
    k->bound_len = (size_t)(at - k->bound);
}

void matrix_keep_ticket(const lr_context *context, matrix_form form, const SSL_SESSION *session)
{
    const unsigned char *id = NULL;
    unsigned id_len = 0;
    size_t len = 0;
    lr_slice wire;
    kept *k;

    if (form == FORM_ID_12)
        id = SSL_SESSION_get_id(session, &id_len);
    else
        SSL_SESSION_get0_ticket(session, &id, &len);
    wire = lr_slice_of(id, form == FORM_ID_12 ? id_len : len);
    if (form_is_stored(form))
        wire = matrix_store_find(wire);
    if (wire.len < HEADER + 2 + LR__SEAL_MAC || wire.len > WIRE_MAX) {
        matrix_fail(false, "%s: a session of %zu bytes", matrix_form_names[form], wire.len);
        return;
    }
    if (all.count == all.cap) {
        all.cap = all.cap ? 2 * all.cap : 1024;
        all.items = realloc(all.items, all.cap * sizeof(*all.items));
        assert_non_null(all.items);
    }
    k = &all.items[all.count++];
    bind_to(k, context, form_is_stored(form) ? id : NULL);
    k->skip = form_is_stored(form) ? 0 : 2;
    k->len = wire.len;
    memcpy(k->wire, wire.bytes, wire.len);
}

static bool opens(const kept *k, const uint8_t key[LR_TICKET_KEY_SIZE])
{
    size_t sealed = k->len - HEADER - k->skip - LR__SEAL_MAC;
    uint8_t bytes[WIRE_MAX];

    memcpy(bytes, k->wire + HEADER + k->skip, sealed);
    return lr__unseal(key, lr_slice_of(k->bound, k->bound_len), bytes, sealed,
                      k->wire + LR__KEY_NAME, k->wire + k->len - LR__SEAL_MAC);
}

/* With the name that the key has, and with the ticket's own. */
static void must_not_open(const kept *k, const uint8_t key[LR_TICKET_KEY_SIZE], const char *what)
{
    uint8_t under_its_name[LR_TICKET_KEY_SIZE];

    memcpy(under_its_name, k->wire, LR__KEY_NAME);
    memcpy(under_its_name + LR__KEY_NAME, key + LR__KEY_NAME, SECRET);
    if (opens(k, key) || opens(k, under_its_name))
        matrix_fail(true, "opens under a key of %s", what);
}

static void try_patterns(const kept *k)
{
    static const uint8_t repeated[][4] = {{0, 0, 0, 0},
                                          {0xff, 0xff, 0xff, 0xff},
                                          {0xaa, 0xaa, 0xaa, 0xaa},
                                          {0x55, 0x55, 0x55, 0x55},
                                          {0xaa, 0x55, 0xaa, 0x55},
                                          {0xde, 0xad, 0xbe, 0xef},
                                          {0xba, 0xad, 0xf0, 0x0d},
                                          {0xcd, 0xcd, 0xcd, 0xcd},
                                          {0xcc, 0xcc, 0xcc, 0xcc},
                                          {0xbe, 0xbe, 0xbe, 0xbe},
                                          {0xfe, 0xee, 0xfe, 0xee},
                                          {'t', 'e', 's', 't'}};
    uint8_t key[LR_TICKET_KEY_SIZE];

    for (size_t i = 0; i < LIVE_COUNT_OF(repeated); i++) {
        for (size_t at = 0; at < sizeof(key); at++)
            key[at] = repeated[i][at % 4];
        must_not_open(k, key, "a pattern");
    }
    for (size_t at = 0; at < sizeof(key); at++)
        key[at] = (uint8_t)at;
    must_not_open(k, key, "numbers in order");
    for (size_t at = 0; at < sizeof(key); at++) /* of what is on the wire */
        key[at] = k->wire[at];
    must_not_open(k, key, "the ticket itself");
}

/* The one key of that name opens it: else what is tried here would say nothing. */
static void try_slots(const kept *k, const lr_ticket_keys *keys, bool own)
{
    uint8_t key[LR_TICKET_KEY_SIZE];
    bool found = false;

    for (uint32_t i = 0; lr_ticket_keys_get(keys, i, key); i++) {
        if (own && memcmp(key, k->wire, LR__KEY_NAME) == 0)
            found = opens(k, key);
        else
            must_not_open(k, key, own ? "another slot" : "another server");
    }
    if (own && !found)
        matrix_fail(false, "does not open under its own key");
}

uint32_t matrix_try_wrong_keys(void)
{
    lr_ticket_keys *own = lr_ticket_keys_new(), *other = lr_ticket_keys_new();
    lr_error err;

    assert_true(own && other);
    assert_int_equal(lr_workers_get_ticket_keys(matrix_workers(), own, &err), LR_OK);
    assert_true(lr_ticket_keys_count(own) >= 3 && lr_ticket_keys_has_next(own));
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(lr_ticket_keys_draw(other, i == 2, &err), LR_OK);
    for (size_t i = 0; i < all.count; i++) {
        try_patterns(&all.items[i]);
        try_slots(&all.items[i], own, true);
        try_slots(&all.items[i], other, false);
    }
    lr_ticket_keys_free(own);
    lr_ticket_keys_free(other);
    return (uint32_t)all.count;
}

void matrix_forget_tickets(void)
{
    free(all.items);
    memset(&all, 0, sizeof(all));
}

/* wolfSSL 5.9.2 would not resume a session of another name or protocol either
 * (VerifyTicketBinding()), so of lockring's own binding no connection can tell. */
void names_and_protocols_are_bound_apart(void **state)
{
    static const char *const pairs[][2] = {{"", ""},        {"a.test", ""},   {"", "a.test"},
                                           {"b.test", ""},  {"a.test", "h2"}, {"a.testh", "2"},
                                           {"a.test", "h3"}};
    uint8_t bindings[LIVE_COUNT_OF(pairs)][16];

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT_OF(pairs); i++) {
        assert_true(lr__session_bind(lr_slice_of(pairs[i][0], strlen(pairs[i][0])),
                                     lr_slice_of(pairs[i][1], strlen(pairs[i][1])), bindings[i]));
        for (size_t j = 0; j < i; j++)
            if (memcmp(bindings[i], bindings[j], sizeof(bindings[i])) == 0)
                matrix_fail(false, "one binding for '%s' by '%s' and '%s' by '%s'", pairs[i][0],
                            pairs[i][1], pairs[j][0], pairs[j][1]);
    }
    matrix_end_of_test();
}
