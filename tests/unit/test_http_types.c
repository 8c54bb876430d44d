/* SPDX-License-Identifier: MIT */
#include "proto/http_types.h"

#include "support.h"

#define BINARY "application/octet-stream"

static void the_ending_of_a_name_tells_its_type(void **state)
{
    (void)state;
    assert_string_equal(lr_http_type_of("index.html"), "text/html; charset=utf-8");
    assert_string_equal(lr_http_type_of("a/b.c/PICTURE.JPG"), "image/jpeg");
    assert_string_equal(lr_http_type_of("a.tar.gz"), "application/gzip");
    assert_string_equal(lr_http_type_of("font.woff2"), "font/woff2");
}

static void a_name_that_tells_nothing_is_bytes(void **state)
{
    static const char *const names[] = {"",   "name",    ".html",   "dir.html/name",
                                        "a.", "a.htmlx", "a.htm l", "dir/.js"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_string_equal(lr_http_type_of(names[i]), BINARY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ending_of_a_name_tells_its_type),
        cmocka_unit_test(a_name_that_tells_nothing_is_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
