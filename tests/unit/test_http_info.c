/* SPDX-License-Identifier: MIT */
#include "proto/http_info.h"

#include "support.h"

static void expect(lr_slice text, const char *json)
{
    char out[64];

    assert_int_equal(lr_http_json_string(text, out, sizeof(out)), strlen(json));
    assert_string_equal(out, json);
}

static void text_becomes_a_json_string(void **state)
{
    (void)state;
    expect(LR_LIT(""), "\"\"");
    expect(LR_LIT("h2"), "\"h2\"");
    expect(LR_LIT("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
}

/* Protocols of ALPN are any bytes; what leaves here is ASCII. */
static void bytes_that_are_no_text_are_escaped(void **state)
{
    (void)state;
    expect(LR_LIT("\0\n\x1f~\x7f"), "\"\\u0000\\u000a\\u001f~\\u007f\"");
    expect(LR_LIT("\x80\xff"), "\"\\u0080\\u00ff\"");
}

static void text_that_does_not_fit_is_refused(void **state)
{
    char out[12];

    (void)state;
    for (size_t cap = 0; cap < sizeof(out); cap++) {
        size_t len;

        memset(out, 'z', sizeof(out));
        len = lr_http_json_string(LR_LIT("\x01\x01"), out, cap);
        assert_int_equal(len, 0);
        for (size_t i = cap; i < sizeof(out); i++)
            assert_int_equal(out[i], 'z');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_a_json_string),
        cmocka_unit_test(bytes_that_are_no_text_are_escaped),
        cmocka_unit_test(text_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
