/* SPDX-License-Identifier: MIT */
/* Addresses of OCSP responders, and their answers in every piece. */
#include "support.h"

#include "core/base/compiler.h"
#include "tools/ocsp_http.h"

#include <stdio.h>

static lr_slice text_of(const char *text)
{
    return lr_slice_of(text, strlen(text));
}

static void addresses_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *host, *port, *authority, *path;
    } rows[] = {
        {"http://ocsp.example.org", "ocsp.example.org", "80", "ocsp.example.org", "/"},
        {"HTTP://a/", "a", "80", "a", "/"},
        {"http://a:8080/b/c?d#e", "a", "8080", "a:8080", "/b/c?d"},
        {"http://a?x", "a", "80", "a", "/?x"},
        {"http://[::1]:99/x", "::1", "99", "[::1]:99", "/x"},
        {"http://[::1]", "::1", "80", "[::1]", "/"},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++) {
        const char *reason;
        ocsp_url url;

        if (!ocsp_url_read(text_of(rows[i].text), &url, &reason))
            fail_msg("%s: %s", rows[i].text, reason);
        assert_string_equal(url.host, rows[i].host);
        assert_string_equal(url.port, rows[i].port);
        assert_string_equal(url.authority, rows[i].authority);
        assert_string_equal(url.path, rows[i].path);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const rows[] = {
        "",           "http:/a",     "http://",       "http:///x",       "http://:80/",
        "http://a:/", "http://a:8x", "http://u@h/",   "http://[::1",     "http://[::1]x",
        "http://[]/", "ftp://a/",    "http://a b/",   "http://a/\r\nX:", "http://a:123456/",
        "ldap://a",   "a",           "http://a/\x80", "https://a/",
    };
    char longest[1200];
    const char *reason;
    ocsp_url url;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++) {
        if (ocsp_url_read(text_of(rows[i]), &url, &reason))
            fail_msg("row %zu: '%s' is taken", i, rows[i]);
        assert_non_null(reason);
    }
    assert_non_null(strstr(reason, "signed")); /* the last row */
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "http://a/", 9);
    assert_false(ocsp_url_read(lr_slice_of(longest, 1100), &url, &reason));
    memcpy(longest, "http://aa", 9);
    assert_false(ocsp_url_read(lr_slice_of(longest, 300), &url, &reason));
}

static void a_request_names_the_host_and_its_length(void **state)
{
    const char *reason;
    char head[2048];
    ocsp_url url;
    size_t len;

    (void)state;
    assert_true(ocsp_url_read(LR_LIT("http://a:81/b"), &url, &reason));
    len = ocsp_http_request(&url, 77, head, sizeof(head));
    assert_int_equal(len, strlen(head));
    assert_true(strncmp(head, "POST /b HTTP/1.0\r\nHost: a:81\r\n", 30) == 0);
    assert_non_null(strstr(head, "\r\nContent-Length: 77\r\n"));
    assert_int_equal(ocsp_http_request(&url, 77, head, len), 0);
}

static void answers_are_read_in_every_piece(void **state)
{
    static const char *const rows[] = {
        "HTTP/1.0 200 OK\r\nContent-type: x\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200\r\ncontent-length:5 \r\n\r\nhello and more",
        "HTTP/1.0 200 OK\n\nhello",
        "HTTP/1.0 200 OK\r\nX: y\r\n\r\nhello",
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++) {
        lr_slice whole = text_of(rows[i]), body = {NULL, 0};
        char reason[96] = "";
        bool done = false;

        for (size_t len = 0; len <= whole.len && !done; len++) {
            ocsp_http_state now =
                ocsp_http_read(lr_slice_of(rows[i], len), len == whole.len, 5, &body, reason);

            if (now == OCSP_HTTP_BAD)
                fail_msg("row %zu, %zu bytes: %s", i, len, reason);
            done = now == OCSP_HTTP_DONE;
        }
        assert_true(done && body.len == 5);
        assert_memory_equal(body.bytes, "hello", 5);
    }
}

static void wrong_answers_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *answer, *says;
    } rows[] = {
        {"", "no answer"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n", "inside its head"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhell", "shorter than it says"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello!", "longer than 5"},
        {"HTTP/1.0 200 OK\r\n\r\nhello!", "longer than 5"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "no length"},
        {"HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", "no length"},
        {"HTTP/1.0 200 OK\r\nContent-Length:\r\n\r\n", "no length"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "chunks"},
        {"HTTP/1.1 404 Not Found\r\n\r\n", "status 404"},
        {"HTTP/1.1 301 Moved\r\nLocation: http://x/\r\n\r\n", "status 301"},
        {"HTTP/2 200\r\n\r\n", "not HTTP"},
        {"HTTP/1.0 2x0 OK\r\n\r\n", "not HTTP"},
        {"SSH-2.0-OpenSSH\r\n", "not HTTP"},
        {"\r\n\r\n", "not HTTP"},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++) {
        lr_slice body;
        char reason[96] = "";

        assert_int_equal(ocsp_http_read(text_of(rows[i].answer), true, 5, &body, reason),
                         OCSP_HTTP_BAD);
        if (!strstr(reason, rows[i].says))
            fail_msg("row %zu: '%s'", i, reason);
    }
}

static void a_head_without_an_end_is_too_long(void **state)
{
    static char head[OCSP_HTTP_HEAD_MAX];
    char reason[96] = "";
    lr_slice body;

    (void)state;
    memset(head, 'x', sizeof(head));
    memcpy(head, "HTTP/1.0 200 OK\r\n", 17);
    assert_int_equal(ocsp_http_read(lr_slice_of(head, sizeof(head) - 1), false, 5, &body, reason),
                     OCSP_HTTP_MORE);
    assert_int_equal(ocsp_http_read(lr_slice_of(head, sizeof(head)), false, 5, &body, reason),
                     OCSP_HTTP_BAD);
    assert_non_null(strstr(reason, "too long"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_request_names_the_host_and_its_length),
        cmocka_unit_test(answers_are_read_in_every_piece),
        cmocka_unit_test(wrong_answers_are_refused_with_a_reason),
        cmocka_unit_test(a_head_without_an_end_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
