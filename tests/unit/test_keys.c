/* SPDX-License-Identifier: MIT */
/* Ticket keys: what is taken, what is refused, the order of lists, and sealing. */
#include "core/tls/keys.h"

#include "core/base/compiler.h"
#include "support.h"
#include "tls_client.h"

#include <string.h>

static tls_world world;
static lr_error err;

static int enter(void **state)
{
    (void)state;
    tls_world_enter(&world, 11);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    tls_world_leave(&world);
    return 0;
}

/* A key that nobody would call weak. */
static void good_key(uint8_t out[LR_TICKET_KEY_SIZE], uint8_t seed)
{
    for (uint32_t i = 0; i < LR_TICKET_KEY_SIZE; i++)
        out[i] = (uint8_t)(seed + i * 37);
}

static lr_ticket_keys *list_of(uint32_t count)
{
    lr_ticket_keys *keys = lr_ticket_keys_new();
    uint8_t key[LR_TICKET_KEY_SIZE];

    assert_non_null(keys);
    for (uint32_t i = 0; i < count; i++) {
        good_key(key, (uint8_t)(i + 1));
        assert_int_equal(lr_ticket_keys_add(keys, lr_slice_of(key, sizeof(key)), &err), LR_OK);
    }
    return keys;
}

static void exactly_48_bytes_are_a_key(void **state)
{
    lr_ticket_keys *keys = list_of(0);
    uint8_t key[96];

    (void)state;
    good_key(key, 1);
    good_key(key + 48, 99);
    for (size_t len = 0; len <= sizeof(key); len++) {
        lr_status status = lr_ticket_keys_add(keys, lr_slice_of(key, len), &err);

        assert_int_equal(status, len == 48 ? LR_OK : LR_EKEY);
        if (status != LR_OK)
            assert_non_null(strstr(err.text, "it must have 48"));
    }
    assert_int_equal(lr_ticket_keys_count(keys), 1);
    lr_ticket_keys_free(keys);
}

static void weak_material_is_refused(void **state)
{
    lr_ticket_keys *keys = list_of(0);
    uint8_t zeros[48] = {0}, same[48], few[48], halves[48], nameless[48], hollow[48];

    (void)state;
    memset(same, 0xa5, sizeof(same));
    good_key(halves, 1);
    memcpy(halves + 32, halves + 16, 16);
    for (uint32_t i = 0; i < sizeof(few); i++)
        few[i] = (uint8_t)(i % 15);
    good_key(nameless, 2);
    memset(nameless, 0, 16);
    good_key(hollow, 3); /* a good name says nothing of what is behind it */
    memset(hollow + 16, 0, 16);
    memset(hollow + 32, 1, 16);
    assert_int_equal(lr_ticket_keys_add(keys, lr_slice_of(zeros, 48), &err), LR_EKEY);
    assert_int_equal(lr_ticket_keys_add(keys, lr_slice_of(same, 48), &err), LR_EKEY);
    assert_int_equal(lr_ticket_keys_add(keys, lr_slice_of(few, 48), &err), LR_EKEY);
    assert_non_null(strstr(err.text, "fewer than 16"));
    assert_int_equal(lr_ticket_keys_add(keys, lr_slice_of(halves, 48), &err), LR_EKEY);
    assert_non_null(strstr(err.text, "halves"));
    assert_int_equal(lr_ticket_keys_add(keys, lr_slice_of(nameless, 48), &err), LR_EKEY);
    assert_non_null(strstr(err.text, "key 1: its name is all zeros"));
    assert_int_equal(lr_ticket_keys_add(keys, lr_slice_of(hollow, 48), &err), LR_EKEY);
    assert_non_null(strstr(err.text, "fewer than 16"));
    assert_int_equal(lr_ticket_keys_count(keys), 0);
    lr_ticket_keys_free(keys);
}

static void a_name_is_there_once(void **state)
{
    lr_ticket_keys *keys = list_of(3);
    uint8_t key[48];

    (void)state;
    good_key(key, 77);
    assert_true(lr_ticket_keys_get(keys, 1, key)); /* and changed behind its name */
    key[47] ^= 1;
    assert_int_equal(lr_ticket_keys_add(keys, lr_slice_of(key, 48), &err), LR_EKEY);
    assert_non_null(strstr(err.text, "key 2"));
    lr_ticket_keys_free(keys);
}

static void a_full_list_takes_no_more(void **state)
{
    lr_ticket_keys *keys = list_of(LR_TICKET_KEYS_MAX);
    uint8_t key[48];

    (void)state;
    good_key(key, 200);
    assert_int_equal(lr_ticket_keys_add(keys, lr_slice_of(key, 48), &err), LR_EINVAL);
    assert_int_equal(lr_ticket_keys_count(keys), LR_TICKET_KEYS_MAX);
    assert_int_equal(lr_ticket_keys_draw(keys, false, &err), LR_OK); /* the oldest goes */
    assert_int_equal(lr_ticket_keys_count(keys), LR_TICKET_KEYS_MAX);
    lr_ticket_keys_free(keys);
}

static void no_key_seals_nothing(void **state)
{
    lr_ticket_keys *keys = list_of(0);

    (void)state;
    assert_null(lr__keys_current(keys));
    lr_ticket_keys_free(keys);
}

static void a_next_key_opens_before_it_seals(void **state)
{
    lr_ticket_keys *keys = list_of(2);
    uint8_t current[48], next[48];
    uint32_t index;

    (void)state;
    assert_false(lr_ticket_keys_advance(keys));
    assert_true(lr_ticket_keys_get(keys, 0, current));
    assert_int_equal(lr_ticket_keys_draw(keys, true, &err), LR_OK);
    assert_int_equal(lr_ticket_keys_draw(keys, true, &err), LR_ESTATE);
    assert_true(lr_ticket_keys_has_next(keys));
    assert_true(lr_ticket_keys_get(keys, 0, next));
    assert_memory_equal(lr__keys_current(keys), current, 48);
    assert_memory_equal(lr__keys_find(keys, next, &index), next, 48);
    assert_int_equal(index, 0);
    assert_true(lr_ticket_keys_advance(keys));
    assert_memory_equal(lr__keys_current(keys), next, 48);
    assert_memory_equal(lr__keys_find(keys, current, &index), current, 48);
    assert_int_equal(index, 1);
    lr_ticket_keys_keep(keys, 1);
    assert_int_equal(lr_ticket_keys_count(keys), 1);
    assert_null(lr__keys_find(keys, current, &index));
    lr_ticket_keys_free(keys);
}

static void drawn_keys_differ(void **state)
{
    lr_ticket_keys *keys = list_of(0);
    uint8_t a[48], b[48];

    (void)state;
    assert_int_equal(lr_ticket_keys_draw(keys, false, &err), LR_OK);
    assert_int_equal(lr_ticket_keys_draw(keys, false, &err), LR_OK);
    assert_true(lr_ticket_keys_get(keys, 0, a) && lr_ticket_keys_get(keys, 1, b));
    assert_memory_not_equal(a, b, 16);
    assert_memory_not_equal(a + 16, b + 16, 32);
    lr_ticket_keys_free(keys);
}

static lr_status import(lr_ticket_keys *keys, const char *text, bool is_haproxy)
{
    return lr_ticket_keys_import(keys, lr_slice_of(text, strlen(text)), is_haproxy, &err);
}

/* Made by: head -c 48 /dev/urandom | base64 -w0, and one of 80 bytes. */
static const char line_a[] = "wKb0mJJ2mO8s3nM4yqk1dV7e5Yx0u3R9pZtQ2aBcDeFgHiJkLmNoPqRsTuVwXyZ0";
static const char line_b[] = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789+/aBcDeFgHiJkLmNoPqRsTuVwXyZ";
static const char line_80[] =
    "MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdo"
    "aWprbG1ub3BxcnN0dXZ3eHl6e3x9fn8=";

static void lines_of_base64_are_taken_in_their_order(void **state)
{
    lr_ticket_keys *keys = list_of(0);
    char text[512];
    uint8_t first[48], second[48];

    (void)state;
    (void)snprintf(text, sizeof(text), "# ours\n\n  %s\r\n%s", line_a, line_b);
    assert_int_equal(import(keys, text, false), LR_OK);
    assert_int_equal(lr_ticket_keys_count(keys), 2);
    assert_false(lr_ticket_keys_has_next(keys));
    assert_true(lr_ticket_keys_get(keys, 0, first) && lr_ticket_keys_get(keys, 1, second));
    assert_int_equal(first[0], 0xc0);
    assert_int_equal(second[0], 0x01);
    lr_ticket_keys_free(keys);
}

static void the_last_line_but_one_of_haproxy_seals(void **state)
{
    lr_ticket_keys *keys = list_of(0);
    char text[512];

    (void)state;
    (void)snprintf(text, sizeof(text), "%s\n%s\n%s\n", line_80, line_a, line_b);
    assert_int_equal(import(keys, text, true), LR_OK);
    assert_int_equal(lr_ticket_keys_count(keys), 3);
    assert_true(lr_ticket_keys_has_next(keys));
    assert_int_equal(lr__keys_current(keys)[0], 0xc0);
    lr_ticket_keys_free(keys);
}

static void what_is_no_file_of_keys_is_refused_by_line_or_length(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "0 bytes"},
        {"# nothing\n", "the file has none"},
        {"not base64!\n", "line 1"},
        {"AAAA\n", "3 bytes"},
        {"\n\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", "line 3"},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++) {
        lr_ticket_keys *keys = list_of(2);

        assert_int_not_equal(import(keys, rows[i].text, false), LR_OK);
        if (!strstr(err.text, rows[i].says))
            fail_msg("row %zu: '%s'", i, err.text);
        assert_int_equal(lr_ticket_keys_count(keys), 2);
        lr_ticket_keys_free(keys);
    }
}

static void raw_files_have_keys_of_48_or_one_of_80(void **state)
{
    uint8_t raw[144];

    (void)state;
    for (uint32_t i = 0; i < sizeof(raw); i++)
        raw[i] = (uint8_t)(i * 91 + i / 48 + 128);
    for (size_t len = 0; len <= sizeof(raw); len++) {
        lr_ticket_keys *keys = list_of(0);
        bool good = len == 48 || len == 80 || len == 96 || len == 144;
        lr_status status = lr_ticket_keys_import(keys, lr_slice_of(raw, len), false, &err);

        assert_int_equal(status == LR_OK, good);
        assert_int_equal(lr_ticket_keys_count(keys), !good ? 0 : len == 80 ? 1 : len / 48);
        lr_ticket_keys_free(keys);
    }
}

static void a_file_with_roles_says_who_seals(void **state)
{
    lr_ticket_keys *keys = list_of(0);
    char text[512];

    (void)state;
    (void)snprintf(text, sizeof(text), "# ours\nnext %s\n  current\t %s\r\nprevious %s", line_a,
                   line_b, line_80);
    assert_int_equal(import(keys, text, false), LR_OK);
    assert_int_equal(lr_ticket_keys_count(keys), 3);
    assert_true(lr_ticket_keys_has_next(keys));
    assert_int_equal(lr__keys_current(keys)[0], 0x01);
    lr_ticket_keys_free(keys);
    keys = list_of(0);
    (void)snprintf(text, sizeof(text), "current %s\nprevious %s\n", line_a, line_b);
    assert_int_equal(import(keys, text, false), LR_OK);
    assert_false(lr_ticket_keys_has_next(keys));
    assert_int_equal(lr__keys_current(keys)[0], 0xc0);
    lr_ticket_keys_free(keys);
}

static void roles_in_a_wrong_order_are_refused(void **state)
{
    static const struct {
        const char *format, *says;
    } rows[] = {
        {"current %s\nnext %s\n", "line 2: the order is"},
        {"next %s\nnext %s\n", "line 2: the order is"},
        {"current %s\ncurrent %s\n", "line 2: the order is"},
        {"previous %s\ncurrent %s\n", "line 1: the order is"},
        {"next %s\nprevious %s\n", "line 2: the order is"},
        {"current %s\n%s\n", "line 2: the order is"},
        {"%s\nprevious %s\n", "line 2: the order is"},
        {"next %s\n# current %s\n", "no current key"},
        {"Current %s\nprevious %s\n", "line 1"},
        {"current%s\nprevious %s\n", "line 1"},
        {"current\n%s %s\n", "line 1"},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++) {
        lr_ticket_keys *keys = list_of(0);
        char text[512];

        (void)snprintf(text, sizeof(text), rows[i].format, line_a, line_b);
        assert_int_equal(import(keys, text, false), LR_EKEY);
        if (!strstr(err.text, rows[i].says))
            fail_msg("row %zu: '%s'", i, err.text);
        assert_int_equal(lr_ticket_keys_count(keys), 0);
        lr_ticket_keys_free(keys);
    }
}

static void a_file_with_roles_is_a_whole_list(void **state)
{
    lr_ticket_keys *keys = list_of(1);
    char text[512];

    (void)state;
    (void)snprintf(text, sizeof(text), "current %s\n", line_a);
    assert_int_equal(import(keys, text, false), LR_EINVAL);
    assert_non_null(strstr(err.text, "whole list"));
    lr_ticket_keys_keep(keys, 0);
    assert_int_equal(import(keys, text, true), LR_EKEY);
    assert_non_null(strstr(err.text, "not HAProxy's"));
    assert_int_equal(import(keys, text, false), LR_OK);
    lr_ticket_keys_free(keys);
}

static lr_slice export(const lr_ticket_keys *keys, lr_ticket_keys_form form)
{
    static uint8_t out[LR_TICKET_KEYS_FILE_MAX];
    size_t len = 0;

    if (lr_ticket_keys_export(keys, form, out, &len, &err) != LR_OK)
        fail_msg("%s", err.text);
    return lr_slice_of(out, len);
}

static void assert_same_keys(const lr_ticket_keys *a, const lr_ticket_keys *b)
{
    uint8_t one[48], other[48];

    assert_int_equal(lr_ticket_keys_count(a), lr_ticket_keys_count(b));
    for (uint32_t i = 0; lr_ticket_keys_get(a, i, one); i++) {
        assert_true(lr_ticket_keys_get(b, i, other));
        assert_memory_equal(one, other, 48);
    }
}

/* Every length of a list, with and without a next key; raw keys lose which one is the next. */
static void what_is_exported_is_imported_as_it_was(void **state)
{
    static const lr_ticket_keys_form forms[] = {LR_TICKET_KEYS_ROLES, LR_TICKET_KEYS_HAPROXY};

    (void)state;
    for (uint32_t n = 0; n < 2 * LR_TICKET_KEYS_MAX - 1; n++) {
        bool with_next = n % 2 != 0;
        lr_ticket_keys *keys = list_of(n / 2 + 1), *again;
        uint8_t first[48];

        if (with_next)
            assert_int_equal(lr_ticket_keys_draw(keys, true, &err), LR_OK);
        for (size_t i = 0; i < LR_ARRAY_COUNT(forms); i++) {
            if (forms[i] == LR_TICKET_KEYS_HAPROXY && !with_next)
                continue;
            again = list_of(0);
            assert_int_equal(lr_ticket_keys_import(again, export(keys, forms[i]),
                                                   forms[i] == LR_TICKET_KEYS_HAPROXY, &err),
                             LR_OK);
            assert_int_equal(lr_ticket_keys_has_next(again), with_next);
            assert_same_keys(keys, again);
            lr_ticket_keys_free(again);
        }
        again = list_of(0);
        assert_int_equal(
            lr_ticket_keys_import(again, export(keys, LR_TICKET_KEYS_RAW), false, &err), LR_OK);
        assert_int_equal(lr_ticket_keys_count(again), lr_ticket_keys_count(keys));
        assert_true(lr_ticket_keys_get(again, 0, first));
        assert_memory_equal(first, lr__keys_current(keys), 48);
        lr_ticket_keys_free(again);
        lr_ticket_keys_free(keys);
    }
}

static void what_a_form_cannot_say_is_not_exported(void **state)
{
    uint8_t out[LR_TICKET_KEYS_FILE_MAX];
    lr_ticket_keys *keys = list_of(0);
    size_t len;

    (void)state;
    assert_int_equal(lr_ticket_keys_export(keys, LR_TICKET_KEYS_RAW, out, &len, &err), LR_EKEY);
    assert_int_equal(lr_ticket_keys_draw(keys, false, &err), LR_OK);
    assert_int_equal(lr_ticket_keys_export(keys, LR_TICKET_KEYS_HAPROXY, out, &len, &err), LR_EKEY);
    assert_non_null(strstr(err.text, "next key"));
    assert_int_equal(lr_ticket_keys_export(keys, (lr_ticket_keys_form)9, out, &len, &err),
                     LR_EOPTION);
    lr_ticket_keys_free(keys);
}

typedef struct sealed {
    uint8_t name[16], salt[16], mac[32], bytes[64];
} sealed;

static sealed seal_text(const uint8_t *key, const char *bound)
{
    sealed s = {.bytes = "the master secret of somebody, and whatever else there may be"};

    assert_true(lr__seal(key, lr_slice_of(bound, strlen(bound)), s.bytes, sizeof(s.bytes), s.name,
                         s.salt, s.mac));
    return s;
}

static bool open_text(const uint8_t *key, const char *bound, sealed s)
{
    bool ok =
        lr__unseal(key, lr_slice_of(bound, strlen(bound)), s.bytes, sizeof(s.bytes), s.salt, s.mac);
    static const uint8_t zeros[sizeof(s.bytes)];

    if (ok)
        assert_memory_equal(s.bytes, "the master secret", 17);
    else
        assert_memory_equal(s.bytes, zeros, sizeof(zeros));
    return ok;
}

static void what_is_sealed_opens_with_its_key_and_policy_only(void **state)
{
    uint8_t key[48], other[48];
    sealed s;

    (void)state;
    good_key(key, 1);
    good_key(other, 2);
    s = seal_text(key, "policy");
    assert_memory_equal(s.name, key, 16);
    assert_memory_not_equal(s.bytes, "the master secret", 17);
    assert_true(open_text(key, "policy", s));
    assert_false(open_text(other, "policy", s));
    assert_false(open_text(key, "Policy", s));
    assert_false(open_text(key, "", s));
    memcpy(other, key, 48);
    other[0] ^= 1; /* the name is bound too */
    assert_false(open_text(other, "policy", s));
    memset(other, 0, sizeof(other));
    assert_false(open_text(other, "policy", s));
}

static void every_bit_counts(void **state)
{
    uint8_t key[48];
    sealed s;

    (void)state;
    good_key(key, 1);
    s = seal_text(key, "p");
    for (size_t bit = 0; bit < 8 * sizeof(s); bit++) {
        sealed changed = s;

        ((uint8_t *)&changed)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (bit / 8 < sizeof(s.name))
            continue; /* it only chooses the key */
        assert_false(open_text(key, "p", changed));
    }
}

static void two_seals_of_one_text_have_nothing_in_common(void **state)
{
    uint8_t key[48];
    sealed a, b;

    (void)state;
    good_key(key, 1);
    a = seal_text(key, "p");
    b = seal_text(key, "p");
    assert_memory_not_equal(a.salt, b.salt, 16);
    assert_memory_not_equal(a.bytes, b.bytes, 16);
    assert_memory_not_equal(a.mac, b.mac, 16);
    assert_memory_not_equal(a.mac + 16, b.mac + 16, 16);
}

static void without_randomness_nothing_is_sealed(void **state)
{
    uint8_t key[48], name[16], salt[16], mac[32], bytes[16] = {0};
    lr_ticket_keys *keys = list_of(0);

    (void)state;
    good_key(key, 1);
    tls_world_leave(&world);
    tls_world_enter(&world, 12);
    world.seeds_fail = true;
    assert_false(lr__seal(key, LR_LIT("p"), bytes, sizeof(bytes), name, salt, mac));
    assert_int_equal(lr_ticket_keys_draw(keys, false, &err), LR_ERANDOM);
    assert_int_equal(lr_ticket_keys_count(keys), 0);
    world.seeds_fail = false;
    lr_ticket_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_48_bytes_are_a_key),
        cmocka_unit_test(weak_material_is_refused),
        cmocka_unit_test(a_name_is_there_once),
        cmocka_unit_test(a_full_list_takes_no_more),
        cmocka_unit_test(no_key_seals_nothing),
        cmocka_unit_test(a_next_key_opens_before_it_seals),
        cmocka_unit_test(drawn_keys_differ),
        cmocka_unit_test(lines_of_base64_are_taken_in_their_order),
        cmocka_unit_test(the_last_line_but_one_of_haproxy_seals),
        cmocka_unit_test(what_is_no_file_of_keys_is_refused_by_line_or_length),
        cmocka_unit_test(raw_files_have_keys_of_48_or_one_of_80),
        cmocka_unit_test(a_file_with_roles_says_who_seals),
        cmocka_unit_test(roles_in_a_wrong_order_are_refused),
        cmocka_unit_test(a_file_with_roles_is_a_whole_list),
        cmocka_unit_test(what_is_exported_is_imported_as_it_was),
        cmocka_unit_test(what_a_form_cannot_say_is_not_exported),
        cmocka_unit_test(what_is_sealed_opens_with_its_key_and_policy_only),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(two_seals_of_one_text_have_nothing_in_common),
        cmocka_unit_test(without_randomness_nothing_is_sealed),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
