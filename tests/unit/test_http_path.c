/* SPDX-License-Identifier: MIT */
#include "proto/http_path.h"

#include "support.h"

#include <stdlib.h>

static char out[64];
static size_t out_len;

/* From memory of exactly that size, so that a sanitizer sees one byte too many. */
static bool is_path(lr_slice path, size_t cap)
{
    uint8_t *copy = malloc(path.len > 0 ? path.len : 1);
    bool is_taken;

    assert_non_null(copy);
    if (path.len > 0)
        memcpy(copy, path.bytes, path.len);
    memset(out, 'z', sizeof out);
    is_taken = lr_http_path(lr_slice_of(copy, path.len), out, cap, &out_len);
    free(copy);
    return is_taken;
}

static void paths_become_relative_names(void **state)
{
    static const char *const rows[][2] = {
        {"/", ""},
        {"/a", "a"},
        {"/a/", "a/"},
        {"/a/b.c", "a/b.c"},
        {"/a?b/../../c", "a"},
        {"/?", ""},
        {"?q", ""},
        {"//", ""},
        {"//a//b///", "a/b/"},
        {"/.", ""},
        {"/./", ""},
        {"/a/.", "a/"},
        {"/a/./b", "a/b"},
        {"/a/..", ""},
        {"/a/../", ""},
        {"/a/../b", "b"},
        {"/a/b/..", "a/"},
        {"/a/b/../", "a/"},
        {"/a/b/../../c/", "c/"},
        {"/a/b/c/../../d", "a/d"},
        {"/a//../b", "b"},
        {"/...", "..."},
        {"/..a", "..a"},
        {"/.a", ".a"},
        {"/a..", "a.."},
        {"/a./b", "a./b"},
        {"/a%20b", "a b"},
        {"/%41%7e", "A~"},
        {"/%c3%A9", "\xc3\xa9"},
        {"/a/%2E%2e/b", "b"},
        {"/a/.%2e/b", "b"},
        {"/a/%2e/b", "a/b"},
        {"/%252e%252e/a", "%2e%2e/a"},
        {"/%25", "%"},
        {"/%3f%23", "?#"},
        {"/a\\..\\b", "a\\..\\b"},
        {"/a;b=c,d", "a;b=c,d"},
        {"/a+b", "a+b"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!is_path(lr_slice_of(rows[i][0], strlen(rows[i][0])), sizeof out))
            fail_msg("%s: refused", rows[i][0]);
        assert_string_equal(out, rows[i][1]);
        assert_int_equal(out_len, strlen(rows[i][1]));
    }
}

static void unsafe_paths_are_refused(void **state)
{
    static const char *const rows[] = {
        "",      "*",    "a",          "a/b",     "/..",     "/../",  "/../a",  "/a/../..",
        "/./..", "//..", "/a/../../b", "/%2e%2e", "/%2e./a", "/%",    "/%4",    "/%zz",
        "/%4z",  "/%z4", "/a%",        "/%00",    "/a%00.b", "/%2f",  "/a%2Fb", "/..%2fa",
        "/%0a",  "/%1f", "/%7f",       "/a\nb",   "/\x7f",   "/% 41", "/%+1",   "/%-1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (is_path(lr_slice_of(rows[i], strlen(rows[i])), sizeof out))
            fail_msg("%s: taken as %s", rows[i], out);
    }
    assert_false(is_path(LR_LIT("/a\0b"), sizeof out));
    assert_false(is_path(lr_slice_of(NULL, 0), sizeof out));
}

static void nothing_is_written_behind_the_end(void **state)
{
    (void)state;
    for (size_t cap = 0; cap <= 8; cap++) {
        assert_int_equal(is_path(LR_LIT("/ab/cd"), cap), cap >= 6);
        for (size_t i = cap; i < sizeof out; i++)
            assert_int_equal(out[i], 'z');
    }
    assert_int_equal(is_path(LR_LIT("/"), 1), true);
    assert_int_equal(is_path(LR_LIT("/ab/"), 4), true);
    assert_int_equal(is_path(LR_LIT("/ab/"), 3), false);
}

/* Paths at random: what comes out never leaves the directory. */
static void result_is_always_below_the_directory(void **state)
{
    static const char *const parts[] = {"/", "/", ".", "..", "%2e", "a", "%41", "//", "?", "%2f"};
    uint64_t seed = 11;
    uint32_t taken = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        char path[64] = "/";
        size_t count = support_random_below(&seed, 12);

        for (size_t j = 0; j < count; j++) {
            const char *part = parts[support_random_below(&seed, 10)];

            memcpy(path + strlen(path), part, strlen(part) + 1);
        }
        if (!is_path(lr_slice_of(path, strlen(path)), sizeof out))
            continue;
        taken++;
        assert_int_equal(strlen(out), out_len);
        assert_true(out[0] != '/' && strstr(out, "//") == NULL);
        for (const char *at = out; at != NULL; at = strchr(at, '/')) {
            at += *at == '/';
            assert_false(at[0] == '.' && (at[1] == '/' || at[1] == '\0'));
            assert_false(at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == '\0'));
        }
    }
    assert_true(taken > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_become_relative_names),
        cmocka_unit_test(unsafe_paths_are_refused),
        cmocka_unit_test(nothing_is_written_behind_the_end),
        cmocka_unit_test(result_is_always_below_the_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
