/* SPDX-License-Identifier: MIT */
/* The table of names: which context serves which server name. */
#include "support.h"

#include "core/base/hostname.h"
#include "core/base/mem.h"
#include "core/tls/context.h"
#include "core/tls/sni.h"

#include <lockring/names.h>

#include <assert.h>
#include <stdio.h>

enum { FAKES = 512 };

/* Contexts that nobody looks into: one reference of each is the test's own. */
static struct lr_context fakes[FAKES];

static int enter(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAKES; i++)
        atomic_init(&fakes[i].references, 1);
    return 0;
}

/* Every reference was given back. */
static int leave(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAKES; i++)
        assert_int_equal(fakes[i].references, 1);
    return 0;
}

static lr_slice text(const char *name)
{
    return lr_slice_of(name, strlen(name));
}

static void must_add(lr_names *names, const char *pattern, uint32_t fake)
{
    lr_error err;

    if (lr_names_add(names, pattern, &fakes[fake], &err) != LR_OK)
        fail_msg("%s", err.text);
}

/* The patterns of a row are words; each gets the context of its number. */
static lr_names *names_of(const char *patterns)
{
    lr_names *names = lr_names_new();
    char word[300];
    uint32_t count = 0;
    int len;

    assert_non_null(names);
    for (; sscanf(patterns, " %299s%n", word, &len) == 1; patterns += len)
        must_add(names, word, ++count);
    return names;
}

/* "@3": the third pattern; else the pattern as it stands in the row; null: none. */
static const lr_context *expected_of(const char *patterns, const char *expected)
{
    uint32_t count = 0;
    char word[300];
    int len;

    if (!expected)
        return NULL;
    if (expected[0] == '@')
        return &fakes[expected[1] - '0'];
    for (; sscanf(patterns, " %299s%n", word, &len) == 1; patterns += len) {
        count++;
        if (strcmp(word, expected) == 0)
            return &fakes[count];
    }
    fail_msg("'%s' is no pattern of its row", expected);
    return NULL;
}

typedef struct row {
    const char *patterns, *name;
    size_t len; /* of the name, which may hold zeros */
    const char *expected;
} row;

#define ROW(patterns, name, expected)                                                              \
    {                                                                                              \
        patterns, name, sizeof(name) - 1, expected                                                 \
    }
#define A15 "aaaaaaaaaaaaaaa"
#define A63 A15 A15 A15 A15 "aaa"
#define B15 "bbbbbbbbbbbbbbb"
#define B64 B15 B15 B15 B15 "bbbb"
#define TAIL_253 A63 "." A63 "." B15 B15 B15 B15 "b" /* with one more label 253 bytes */
#define NAME_252 A63 "." A63 "." A63 "." B15 B15 B15 B15
#define NAME_253 A63 "." TAIL_253
#define NAME_254 NAME_253 "b"
#define UPPER_A15 "AAAAAAAAAAAAAAA"
#define UPPER_A63 UPPER_A15 UPPER_A15 UPPER_A15 UPPER_A15 "AAA"
#define UPPER_B15 "BBBBBBBBBBBBBBB"
#define UPPER_253                                                                                  \
    UPPER_A63 "." UPPER_A63 "." UPPER_A63 "." UPPER_B15 UPPER_B15 UPPER_B15 UPPER_B15 "B"

static const row rows[] = {
    /* An exact name, in every spelling of it. */
    ROW("www.example.org", "www.example.org", "www.example.org"),
    ROW("www.example.org", "WWW.EXAMPLE.ORG", "www.example.org"),
    ROW("www.example.org", "wWw.eXaMpLe.OrG", "www.example.org"),
    ROW("www.example.org", "www.example.org.", "www.example.org"),
    ROW("www.example.org", "WWW.example.org.", "www.example.org"),
    ROW("www.example.org", "www.example.org..", NULL),
    ROW("www.example.org", ".www.example.org", NULL),
    ROW("www.example.org", "www..example.org", NULL),
    ROW("www.example.org", "ww.example.org", NULL),
    ROW("www.example.org", "wwww.example.org", NULL),
    ROW("www.example.org", "www.example.or", NULL),
    ROW("www.example.org", "www.example.orga", NULL),
    ROW("www.example.org", "example.org", NULL),
    ROW("www.example.org", "org", NULL),
    ROW("www.example.org", "a.www.example.org", NULL),
    ROW("www.example.org", "www.example.org.a", NULL),
    ROW("www.example.org", "www.example", NULL),
    ROW("www.example.org", "www-example.org", NULL),
    ROW("www.example.org", "wwwxexample.org", NULL),
    ROW("www.example.org", "www.example,org", NULL),
    ROW("www.example.org", "", NULL),
    ROW("www.example.org", ".", NULL),
    ROW("www.example.org", "..", NULL),
    /* The pattern may be written in any case and with a dot at its end. */
    ROW("WWW.Example.Org", "www.example.org", "WWW.Example.Org"),
    ROW("WWW.Example.Org", "WWW.EXAMPLE.ORG", "WWW.Example.Org"),
    ROW("WWW.Example.Org", "www.example.org.", "WWW.Example.Org"),
    ROW("www.example.org.", "www.example.org", "www.example.org."),
    ROW("www.example.org.", "WWW.EXAMPLE.ORG", "www.example.org."),
    ROW("www.example.org.", "www.example.org.", "www.example.org."),
    ROW("WWW.EXAMPLE.ORG.", "www.example.org", "WWW.EXAMPLE.ORG."),
    ROW("WWW.EXAMPLE.ORG.", "WWW.EXAMPLE.ORG", "WWW.EXAMPLE.ORG."),
    ROW("WWW.EXAMPLE.ORG.", "www.example.org.", "WWW.EXAMPLE.ORG."),
    /* One label for the asterisk, no more and no less; never the apex. */
    ROW("*.example.org", "a.example.org", "*.example.org"),
    ROW("*.example.org", "www.example.org", "*.example.org"),
    ROW("*.example.org", "A.EXAMPLE.ORG", "*.example.org"),
    ROW("*.example.org", "a.example.org.", "*.example.org"),
    ROW("*.example.org", "a-b.example.org", "*.example.org"),
    ROW("*.example.org", "a_b.example.org", "*.example.org"),
    ROW("*.example.org", "0.example.org", "*.example.org"),
    ROW("*.example.org", "_.example.org", "*.example.org"),
    ROW("*.example.org", "_dmarc.example.org", "*.example.org"),
    ROW("*.example.org", "1-2.example.org", "*.example.org"),
    ROW("*.example.org", A63 ".example.org", "*.example.org"),
    ROW("*.example.org", "example.org", NULL),
    ROW("*.example.org", "example.org.", NULL),
    ROW("*.example.org", ".example.org", NULL),
    ROW("*.example.org", "a.b.example.org", NULL),
    ROW("*.example.org", "a.b.c.example.org", NULL),
    ROW("*.example.org", "a..example.org", NULL),
    ROW("*.example.org", "a.example.com", NULL),
    ROW("*.example.org", "a.xexample.org", NULL),
    ROW("*.example.org", "aexample.org", NULL),
    ROW("*.example.org", "a.example.org.com", NULL),
    ROW("*.example.org", "-a.example.org", NULL),
    ROW("*.example.org", "a-.example.org", NULL),
    ROW("*.example.org", "-.example.org", NULL),
    ROW("*.example.org", B64 ".example.org", NULL),
    ROW("*.example.org", "*.example.org", NULL),
    ROW("*.example.org", "a*.example.org", NULL),
    ROW("*.example.org", "a b.example.org", NULL),
    ROW("*.example.org", " a.example.org", NULL),
    ROW("*.example.org", "a.example.org ", NULL),
    ROW("*.example.org", "a@b.example.org", NULL),
    ROW("*.example.org", "a/b.example.org", NULL),
    ROW("*.example.org", "a:443.example.org", NULL),
    ROW("*.example.org", "a%2e.example.org", NULL),
    ROW("*.example.org", "\0.example.org", NULL),
    ROW("*.example.org", "a\0.example.org", NULL),
    ROW("*.example.org", "a.example.org\0", NULL),
    ROW("*.example.org", "a.example.org\0.evil.com", NULL),
    ROW("*.example.org", "\x7f.example.org", NULL),
    ROW("*.example.org", "\xc3\xa9.example.org", NULL),
    ROW("*.example.org", "\xff.example.org", NULL),
    ROW("*.example.org", "a\t.example.org", NULL),
    ROW("*.example.org", "a\n.example.org", NULL),
    ROW("*.example.org", "a\r\n.example.org", NULL),
    /* A-labels are nobody's but their own. */
    ROW("*.example.org", "xn--bcher-kva.example.org", NULL),
    ROW("*.example.org", "XN--BCHER-KVA.example.org", NULL),
    ROW("*.example.org", "Xn--a.example.org", NULL),
    ROW("*.example.org", "xn-a.example.org", "*.example.org"),
    ROW("*.example.org", "xn.example.org", "*.example.org"),
    ROW("*.example.org", "axn--b.example.org", "*.example.org"),
    ROW("*.example.org", "x--n.example.org", "*.example.org"),
    ROW("xn--bcher-kva.example.org", "xn--bcher-kva.example.org", "xn--bcher-kva.example.org"),
    ROW("xn--bcher-kva.example.org", "XN--BCHER-KVA.EXAMPLE.ORG", "xn--bcher-kva.example.org"),
    ROW("xn--bcher-kva.example.org", "xn--bcher-kvb.example.org", NULL),
    ROW("*.xn--bcher-kva.org", "a.xn--bcher-kva.org", "*.xn--bcher-kva.org"),
    ROW("*.xn--bcher-kva.org", "A.XN--BCHER-KVA.ORG", "*.xn--bcher-kva.org"),
    ROW("*.xn--bcher-kva.org", "xn--a.xn--bcher-kva.org", NULL),
    ROW("*.xn--bcher-kva.org", "xn--bcher-kva.org", NULL),
    ROW("*", "xn--a", NULL),
    ROW("*", "xn-a", "*"),
    ROW("*.example.org xn--a.example.org", "xn--a.example.org", "xn--a.example.org"),
    ROW("*.example.org xn--a.example.org", "xn--b.example.org", NULL),
    ROW("XN--A.example.org", "xn--a.example.org", "XN--A.example.org"),
    /* An asterisk alone is any name without a dot. */
    ROW("*", "localhost", "*"),
    ROW("*", "LOCALHOST", "*"),
    ROW("*", "localhost.", "*"),
    ROW("*", "a", "*"),
    ROW("*", "1", "*"),
    ROW("*", "a-b", "*"),
    ROW("*", "_a", "*"),
    ROW("*", A63, "*"),
    ROW("*", B64, NULL),
    ROW("*", "a.b", NULL),
    ROW("*", "localhost.localdomain", NULL),
    ROW("*", "", NULL),
    ROW("*", ".", NULL),
    ROW("*", "-a", NULL),
    ROW("*", "a-", NULL),
    ROW("*", "*", NULL),
    ROW("*", "a\0", NULL),
    /* What is exact beats an asterisk, whichever came first. */
    ROW("*.example.org www.example.org", "www.example.org", "www.example.org"),
    ROW("www.example.org *.example.org", "www.example.org", "www.example.org"),
    ROW("*.example.org www.example.org", "a.example.org", "*.example.org"),
    ROW("www.example.org *.example.org", "a.example.org", "*.example.org"),
    ROW("* localhost", "localhost", "localhost"),
    ROW("localhost *", "localhost", "localhost"),
    ROW("* localhost", "otherhost", "*"),
    ROW("* *.example.org", "example.org", NULL),
    ROW("* *.example.org", "a.example.org", "*.example.org"),
    ROW("* *.org *.example.org", "example.org", "*.org"),
    ROW("* *.org *.example.org", "a.example.org", "*.example.org"),
    ROW("* *.org *.example.org", "org", "*"),
    ROW("* *.org *.example.org", "a.b.example.org", NULL),
    ROW("*.org", "example.org", "*.org"),
    ROW("*.org", "a.example.org", NULL),
    ROW("*.b.example.org *.example.org", "a.b.example.org", "*.b.example.org"),
    ROW("*.b.example.org *.example.org", "b.example.org", "*.example.org"),
    ROW("*.b.example.org b.example.org", "b.example.org", "b.example.org"),
    ROW("*.b.example.org b.example.org", "a.b.example.org", "*.b.example.org"),
    /* Of the same pattern twice the newest counts, in whatever spelling. */
    ROW("a.example.org A.example.org", "a.example.org", "@2"),
    ROW("A.example.org a.example.org", "a.example.org", "@2"),
    ROW("a.example.org a.example.org.", "a.example.org", "@2"),
    ROW("*.example.org *.EXAMPLE.org", "x.example.org", "@2"),
    ROW("*.example.org. *.example.org", "x.example.org", "@2"),
    ROW("a.org b.org a.org", "a.org", "@3"),
    ROW("a.org b.org A.ORG.", "b.org", "@2"),
    /* Addresses are no names. */
    ROW("*.0.0.1", "127.0.0.1", NULL),
    ROW("*", "127", "*"),
    ROW("*.0", "127.0", "*.0"),
    ROW("*.0.1", "127.0.1", "*.0.1"),
    ROW("*.0.0.1", "127.0.0.1.", NULL),
    ROW("*.0.0.1", "a.0.0.1", "*.0.0.1"),
    ROW("*.0.0.1", "1270.0.0.1", "*.0.0.1"),
    ROW("*.0.0.1", "0x7f.0.0.1", "*.0.0.1"),
    ROW("*.256.256.256", "256.256.256.256", NULL),
    ROW("*", "::1", NULL),
    ROW("*", "[::1]", NULL),
    ROW("*.1", "fe80::1.1", NULL),
    ROW("*.0.0.1", "127.0.0.0.1", NULL),
    /* Only letters, digits, hyphens, underscores and dots. */
    ROW("*.example.org", "a!b.example.org", NULL),
    ROW("*.example.org", "a\"b.example.org", NULL),
    ROW("*.example.org", "a#b.example.org", NULL),
    ROW("*.example.org", "a$b.example.org", NULL),
    ROW("*.example.org", "a%b.example.org", NULL),
    ROW("*.example.org", "a&b.example.org", NULL),
    ROW("*.example.org", "a'b.example.org", NULL),
    ROW("*.example.org", "a(b.example.org", NULL),
    ROW("*.example.org", "a)b.example.org", NULL),
    ROW("*.example.org", "a+b.example.org", NULL),
    ROW("*.example.org", "a,b.example.org", NULL),
    ROW("*.example.org", "a/b.example.org", NULL),
    ROW("*.example.org", "a:b.example.org", NULL),
    ROW("*.example.org", "a;b.example.org", NULL),
    ROW("*.example.org", "a<b.example.org", NULL),
    ROW("*.example.org", "a=b.example.org", NULL),
    ROW("*.example.org", "a>b.example.org", NULL),
    ROW("*.example.org", "a\?b.example.org", NULL),
    ROW("*.example.org", "a@b.example.org", NULL),
    ROW("*.example.org", "a[b.example.org", NULL),
    ROW("*.example.org", "a\\b.example.org", NULL),
    ROW("*.example.org", "a]b.example.org", NULL),
    ROW("*.example.org", "a^b.example.org", NULL),
    ROW("*.example.org", "a`b.example.org", NULL),
    ROW("*.example.org", "a{b.example.org", NULL),
    ROW("*.example.org", "a|b.example.org", NULL),
    ROW("*.example.org", "a}b.example.org", NULL),
    ROW("*.example.org", "a~b.example.org", NULL),
    ROW("*.example.org", "a*b.example.org", NULL),
    /* Names of 253 bytes, and one more. */
    ROW(NAME_253, NAME_253, NAME_253),
    ROW(NAME_253, UPPER_253, NAME_253),
    ROW(NAME_253, NAME_253 ".", NAME_253),
    ROW(NAME_253, NAME_253 "..", NULL),
    ROW(NAME_253, NAME_254, NULL),
    ROW(NAME_252, NAME_252, NAME_252),
    ROW(NAME_252, NAME_253, NULL),
    ROW("*." TAIL_253, NAME_253, "*." TAIL_253),
    ROW("*." TAIL_253, NAME_254, NULL),
    ROW("*." TAIL_253, "c." TAIL_253, "*." TAIL_253),
    ROW("*." TAIL_253, TAIL_253, NULL),
    ROW("*.a." TAIL_253, "b.a." TAIL_253, "*.a." TAIL_253),
    ROW("*.a." TAIL_253, "bb.a." TAIL_253, "*.a." TAIL_253),
    /* No table, and names that it does not have. */
    ROW("", "www.example.org", NULL),
    ROW("", "localhost", NULL),
    ROW("", "a", NULL),
    ROW("", "", NULL),
    ROW("a.org b.org c.org", "d.org", NULL),
    ROW("a.org b.org c.org", "a.org.org", NULL),
    ROW("a.org *.b.org", "a.b.org", "*.b.org"),
    ROW("a.org *.b.org", "b.org", NULL),
};

static_assert(LR_ARRAY_COUNT(rows) >= 200, "at least two hundred");

static void S45_names_find_their_context(void **state)
{
    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++) {
        lr_names *names = names_of(rows[i].patterns);
        uint8_t exact[320]; /* of exactly that size at the end: an over-read is seen */
        uint8_t *copy = exact + sizeof(exact) - rows[i].len;
        lr_context *found;

        memcpy(copy, rows[i].name, rows[i].len);
        found = lr_names_find(names, lr_slice_of(copy, rows[i].len));
        if (found != expected_of(rows[i].patterns, rows[i].expected))
            fail_msg("row %zu: '%s' in '%s' found context %td", i, rows[i].name, rows[i].patterns,
                     found ? found - fakes : -1);
        lr_names_free(names);
    }
}

static void a_name_of_no_bytes_finds_nothing(void **state)
{
    lr_names *names = names_of("* a.org *.b.org");

    (void)state;
    assert_null(lr_names_find(names, lr_slice_of(NULL, 0)));
    lr_names_free(names);
}

/* Each is refused by its name, and changes nothing. */
static void wrong_patterns_are_refused_by_name(void **state)
{
    static const char *const wrong[] = {"a*b.example.org",
                                        "a*.example.org",
                                        "*a.example.org",
                                        "**.example.org",
                                        "*.*.example.org",
                                        "www.*.org",
                                        "www.example.*",
                                        "*.",
                                        "*..",
                                        "**",
                                        "*.*",
                                        "*a",
                                        "a*",
                                        ".*",
                                        "*.example.org*",
                                        "*.-a.org",
                                        "*.a-.org",
                                        "*.a..org",
                                        "*..org",
                                        "*.127.0.0.1",
                                        "127.0.0.1",
                                        "::1",
                                        "[::1]",
                                        "*.::1",
                                        "fe80::1",
                                        "www.example.org:443",
                                        "https://www.example.org",
                                        "",
                                        ".",
                                        "..",
                                        ".example.org",
                                        "www..example.org",
                                        "www.example.org..",
                                        " www.example.org",
                                        "www.example.org ",
                                        "www example.org",
                                        "b\xc3\xbc"
                                        "cher.example.org",
                                        "www.example.org\n",
                                        "-a.org",
                                        "a-.org",
                                        "a.-b.org",
                                        B64 ".org",
                                        "*." B64 ".org",
                                        NAME_254,
                                        "*." NAME_254,
                                        "*." NAME_252,
                                        "www,example.org",
                                        "a\\b.org"};
    lr_names *names = names_of("a.org *.b.org");
    lr_error err;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(wrong); i++) {
        char start[60];

        if (lr_names_add(names, wrong[i], &fakes[9], &err) != LR_EINVAL)
            fail_msg("'%s' was taken", wrong[i]);
        assert_int_equal(lr_names_add(names, wrong[i], &fakes[9], NULL), LR_EINVAL);
        (void)snprintf(start, sizeof(start), "name '%.40s", wrong[i]);
        assert_memory_equal(err.text, start, strlen(start));
        assert_false(lr_names_remove(names, wrong[i]));
    }
    assert_int_equal(lr_names_count(names), 2);
    assert_ptr_equal(lr_names_find(names, text("a.org")), &fakes[1]);
    lr_names_free(names);
}

static void the_text_says_what_an_asterisk_is(void **state)
{
    lr_names *names = lr_names_new();
    lr_error err;

    (void)state;
    assert_int_equal(lr_names_add(names, "a*b.example.org", &fakes[1], &err), LR_EINVAL);
    assert_string_equal(err.text, "name 'a*b.example.org': an asterisk stands for the whole first "
                                  "label, and only there");
    assert_int_equal(lr_names_add(names, "a..b", &fakes[1], &err), LR_EINVAL);
    assert_string_equal(err.text, "name 'a..b': this is no host name");
    lr_names_free(names);
}

static void adding_again_replaces_and_removing_takes_away(void **state)
{
    lr_names *names = lr_names_new();

    (void)state;
    assert_int_equal(lr_names_count(names), 0);
    assert_false(lr_names_remove(names, "a.org"));
    must_add(names, "a.org", 1);
    must_add(names, "*.a.org", 2);
    assert_int_equal(fakes[1].references, 2);
    must_add(names, "A.ORG.", 3);
    assert_int_equal(lr_names_count(names), 2);
    assert_int_equal(fakes[1].references, 1);
    assert_int_equal(fakes[3].references, 2);
    must_add(names, "a.org", 3); /* by itself */
    assert_int_equal(fakes[3].references, 2);
    assert_ptr_equal(lr_names_find(names, text("a.org")), &fakes[3]);
    assert_false(lr_names_remove(names, "b.a.org")); /* the asterisk's names are not its own */
    assert_true(lr_names_remove(names, "*.A.org"));
    assert_null(lr_names_find(names, text("b.a.org")));
    assert_true(lr_names_remove(names, "A.org."));
    assert_false(lr_names_remove(names, "a.org"));
    assert_int_equal(lr_names_count(names), 0);
    must_add(names, "a.org", 4);
    assert_ptr_equal(lr_names_find(names, text("a.org")), &fakes[4]);
    lr_names_free(names);
    lr_names_free(NULL);
}

/* Against a plain list: few different names, so that they stand in each other's way. */
enum { PLAIN = 300 };

static void plain_name(uint32_t i, char out[40])
{
    (void)snprintf(out, 40, i % 3 == 0 ? "*.n%u.org" : i % 3 == 1 ? "n%u.org" : "n%u", i / 3);
}

static void compare(const lr_names *names, const uint32_t list[PLAIN])
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < PLAIN; i++) {
        char pattern[40];
        lr_context *found;

        plain_name(i, pattern);
        if (pattern[0] == '*')
            pattern[0] = 'x';
        found = lr_names_find(names, text(pattern));
        count += list[i] != 0;
        assert_ptr_equal(found, list[i] ? &fakes[list[i]] : NULL);
    }
    assert_int_equal(lr_names_count(names), count);
}

static void what_is_left_is_found_after_any_order_of_changes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t random = seed;
        uint32_t list[PLAIN] = {0};
        lr_names *names = lr_names_new();
        uint32_t below = seed % 2 == 0 ? PLAIN : 24; /* small: the table stays small and full */

        for (uint32_t step = 0; step < 3000; step++) {
            uint32_t i = (uint32_t)support_random_below(&random, below);
            char pattern[40];

            plain_name(i, pattern);
            if (support_random_below(&random, 100) < (step / 500 % 2 ? 35 : 60)) {
                list[i] = 1 + (uint32_t)support_random_below(&random, FAKES - 1);
                must_add(names, pattern, list[i]);
            } else {
                assert_int_equal(lr_names_remove(names, pattern), list[i] != 0);
                list[i] = 0;
            }
            if (step % 7 == 0)
                compare(names, list);
        }
        compare(names, list);
        lr_names_free(names);
    }
}

static lr_context *found_in(const lr_names *names, const char *servername)
{
    return lr_names_find(names, lr_slice_of(servername, strlen(servername)));
}

static void the_newest_wins_where_that_is_wanted(void **state)
{
    lr_names *names = lr_names_new();
    lr_names copy = {0};

    (void)state;
    must_add(names, "www.example.org", 1);
    must_add(names, "*.example.org", 2);
    assert_ptr_equal(found_in(names, "www.example.org"), &fakes[1]);
    lr_names_set_newest_wins(names, true);
    assert_ptr_equal(found_in(names, "www.example.org"), &fakes[2]);
    assert_ptr_equal(found_in(names, "a.example.org"), &fakes[2]);
    must_add(names, "www.example.org", 3); /* replacing makes it the newest */
    assert_ptr_equal(found_in(names, "www.example.org"), &fakes[3]);
    must_add(names, "*.example.org", 4);
    assert_int_equal(lr__names_copy(&copy, names), LR_OK);
    for (uint32_t i = 0; i < PLAIN; i++) { /* the table grows, and nothing gets younger */
        char pattern[40];

        plain_name(i, pattern);
        must_add(&copy, pattern, 5);
    }
    assert_ptr_equal(found_in(&copy, "www.example.org"), &fakes[4]);
    assert_true(lr_names_remove(&copy, "*.example.org"));
    assert_ptr_equal(found_in(&copy, "www.example.org"), &fakes[3]);
    lr_names_set_newest_wins(names, false);
    assert_ptr_equal(found_in(names, "www.example.org"), &fakes[3]);
    assert_null(found_in(names, "example.org"));
    lr__names_fini(&copy);
    lr_names_free(names);
}

static void a_copy_has_the_same_and_is_its_own(void **state)
{
    lr_names *names = lr_names_new();
    lr_names copy = {0};

    (void)state;
    for (uint32_t i = 0; i < PLAIN; i++) {
        char pattern[40];

        plain_name(i, pattern);
        must_add(names, pattern, 1 + i);
    }
    assert_int_equal(lr__names_copy(&copy, names), LR_OK);
    assert_int_equal(copy.count, PLAIN);
    lr_names_free(names);
    for (uint32_t i = 0; i < PLAIN; i++) {
        char pattern[40];

        plain_name(i, pattern);
        if (pattern[0] == '*')
            pattern[0] = 'y';
        assert_ptr_equal(lr__names_lookup(&copy, pattern), &fakes[1 + i]);
    }
    lr__names_fini(&copy);
    assert_null(lr__names_lookup(&copy, "n1"));
}

static void without_memory_nothing_changes(void **state)
{
    lr_names *names = names_of("a.org *.b.org");
    lr_names copy = {0};
    uint64_t tries;
    lr_error err;

    (void)state;
    for (uint32_t i = 0; i < 30; i++) { /* the table grows on the way */
        char pattern[40];

        plain_name(i, pattern);
        for (uint64_t n = 1;; n++) {
            lr_status status;

            lr__mem_fail_at(n, false);
            status = lr_names_add(names, pattern, &fakes[9], &err);
            lr__mem_fail_at(0, false);
            if (status == LR_OK)
                break;
            assert_int_equal(status, LR_ENOMEM);
            assert_int_equal(lr_names_count(names), 2 + i);
            assert_int_equal(fakes[9].references, 1 + i);
            assert_ptr_equal(lr_names_find(names, text("x.b.org")), &fakes[2]);
        }
    }
    lr__mem_fail_at(UINT64_MAX, false);
    assert_int_equal(lr__names_copy(&copy, names), LR_OK);
    tries = lr__mem_fail_at(0, false);
    assert_true(tries > 32);
    lr__names_fini(&copy);
    for (uint64_t n = 1; n <= tries; n++) {
        uint64_t before = lr__mem_read().live;

        lr__mem_fail_at(n, false);
        assert_int_equal(lr__names_copy(&copy, names), LR_ENOMEM);
        lr__mem_fail_at(0, false);
        assert_int_equal(copy.count, 0);
        assert_null(copy.entries);
        assert_int_equal(lr__mem_read().live, before);
    }
    lr__mem_fail_at(1, false);
    assert_null(lr_names_new());
    lr__mem_fail_at(0, false);
    lr_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S45_names_find_their_context),
        cmocka_unit_test(a_name_of_no_bytes_finds_nothing),
        cmocka_unit_test(wrong_patterns_are_refused_by_name),
        cmocka_unit_test(the_text_says_what_an_asterisk_is),
        cmocka_unit_test(adding_again_replaces_and_removing_takes_away),
        cmocka_unit_test(what_is_left_is_found_after_any_order_of_changes),
        cmocka_unit_test(the_newest_wins_where_that_is_wanted),
        cmocka_unit_test(a_copy_has_the_same_and_is_its_own),
        cmocka_unit_test(without_memory_nothing_changes),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
