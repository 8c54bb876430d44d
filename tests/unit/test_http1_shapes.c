/* SPDX-License-Identifier: MIT */
/* Heads of every shape that has been used to make two implementations disagree, and the harmless
 * ones beside them; each one also in every split. */
#include "http1_driver.h"
#include "support.h"

#define HEAD(fields) "GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define HEAD_1_0(fields) "GET / HTTP/1.0\r\n" fields "\r\n"
#define LINE(line) line "\r\nHost: a\r\n\r\n"
#define HOST(value) "GET / HTTP/1.1\r\nHost:" value "\r\n\r\n"
#define A32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define A255 A32 A32 A32 A32 A32 A32 A32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ROW(name, status, bytes)                                                                   \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, status                                                     \
    }

struct row {
    const char *name, *bytes;
    size_t len;
    uint16_t status; /* 0: accepted */
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct http1_outcome outcome =
            http1_every_split(lr_slice_of(rows[i].bytes, rows[i].len), NULL);
        lr_http_result expected = rows[i].status == 0 ? LR_HTTP_DONE : LR_HTTP_REFUSED;

        if (outcome.status != rows[i].status || outcome.result != expected)
            fail_msg("%s: result %d status %u: %s", rows[i].name, outcome.result, outcome.status,
                     outcome.text);
    }
}

static void request_lines(void **state)
{
    static const struct row rows[] = {
        ROW("plain", 0, LINE("GET / HTTP/1.1")),
        ROW("unknown method", 0, LINE("BREW-1 / HTTP/1.1")),
        ROW("method of 32 bytes", 0, LINE(A32 " / HTTP/1.1")),
        ROW("method of 33 bytes", 501, LINE(A32 "A / HTTP/1.1")),
        ROW("lower-case method is another one", 0, LINE("get / HTTP/1.1")),
        ROW("CONNECT", 501, LINE("CONNECT a:443 HTTP/1.1")),
        ROW("CONNECT in origin-form", 501, LINE("CONNECT / HTTP/1.1")),
        ROW("method with a colon", 400, LINE("G:T / HTTP/1.1")),
        ROW("no method", 400, LINE(" / HTTP/1.1")),
        ROW("white space before the method", 400, LINE(" GET / HTTP/1.1")),
        ROW("two spaces before the target", 400, LINE("GET  / HTTP/1.1")),
        ROW("two spaces before the version", 400, LINE("GET /  HTTP/1.1")),
        ROW("tab for a space", 400, LINE("GET\t/ HTTP/1.1")),
        ROW("space inside the target", 400, LINE("GET /a b HTTP/1.1")),
        ROW("space at the end", 400, LINE("GET / HTTP/1.1 ")),
        ROW("no target", 400, LINE("GET HTTP/1.1")),
        ROW("only a method", 400, LINE("GET")),
        ROW("HTTP/0.9", 400, "GET /\r\n"),
        ROW("HTTP/0.9 by name", 505, LINE("GET / HTTP/0.9")),
        ROW("HTTP/1.2", 505, LINE("GET / HTTP/1.2")),
        ROW("HTTP/2.0", 505, LINE("GET / HTTP/2.0")),
        ROW("HTTP/2 preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ROW("lower-case version", 400, LINE("GET / http/1.1")),
        ROW("version without minor", 400, LINE("GET / HTTP/1")),
        ROW("version with a sign", 400, LINE("GET / HTTP/+.1")),
        ROW("version of two digits", 400, LINE("GET / HTTP/1.10")),
        ROW("version with a comma", 400, LINE("GET / HTTP/1,1")),
        ROW("other protocol", 400, LINE("GET / ICAP/1.0")),
        ROW("RTSP, of the same length", 400, LINE("GET / RTSP/1.0")),
        ROW("NUL in the target", 400, LINE("GET /\0 HTTP/1.1")),
        ROW("DEL in the target", 400, LINE("GET /\x7f HTTP/1.1")),
        ROW("UTF-8 in the target", 400, LINE("GET /\xc3\xa9 HTTP/1.1")),
        ROW("fragment", 400, LINE("GET /#a HTTP/1.1")),
        ROW("CR inside the line", 400, LINE("GET /\r HTTP/1.1")),
        ROW("two CR at the end", 400, LINE("GET / HTTP/1.1\r")),
        ROW("CR for a line end", 400, "GET / HTTP/1.1\rHost: a\r\n\r\n"),
        ROW("relative target", 400, LINE("GET a HTTP/1.1")),
        ROW("asterisk of GET", 400, LINE("GET * HTTP/1.1")),
        ROW("asterisk of OPTIONS", 0, LINE("OPTIONS * HTTP/1.1")),
        ROW("asterisk and more", 400, LINE("OPTIONS *x HTTP/1.1")),
        ROW("authority-form", 400, LINE("GET a:80 HTTP/1.1")),
        ROW("absolute-form", 0, LINE("GET http://a/ HTTP/1.1")),
        ROW("absolute-form, other scheme", 400, LINE("GET ftp://a/ HTTP/1.1")),
        ROW("absolute-form, no host", 400, LINE("GET http:/// HTTP/1.1")),
        ROW("absolute-form, nothing", 400, LINE("GET http:// HTTP/1.1")),
        ROW("absolute-form, userinfo", 400, LINE("GET http://u@a/ HTTP/1.1")),
        ROW("absolute-form, password", 400, LINE("GET http://u:1@a/ HTTP/1.1")),
        ROW("absolute-form, bad port", 400, LINE("GET http://a:b/ HTTP/1.1")),
        ROW("absolute-form, backslash", 400, LINE("GET http://a\\b/ HTTP/1.1")),
        ROW("TLS", 400, "\x16\x03\x01\x02"),
        ROW("two empty lines before", 0, "\r\n\r\n" LINE("GET / HTTP/1.1")),
        ROW("three empty lines before", 400, "\r\n\r\n\r\n" LINE("GET / HTTP/1.1")),
        ROW("empty line with a space before", 400, " \r\n" LINE("GET / HTTP/1.1")),
        ROW("CR before", 400, "\r" LINE("GET / HTTP/1.1")),
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void fields(void **state)
{
    static const struct row rows[] = {
        ROW("every token byte in a name", 0, HEAD("!#$%&'*+-.^_`|~09azAZ: x\r\n")),
        ROW("obs-text in a value", 0, HEAD("A: \xc3\xa9\xff\r\n")),
        ROW("colons in a value", 0, HEAD("A: b:c: d\r\n")),
        ROW("space before the colon", 400, HEAD("A : b\r\n")),
        ROW("tab before the colon", 400, HEAD("A\t: b\r\n")),
        ROW("no name", 400, HEAD(": b\r\n")),
        ROW("no colon", 400, HEAD("A\r\n")),
        ROW("space in a name", 400, HEAD("A B: c\r\n")),
        ROW("NUL in a name", 400, HEAD("A\0: b\r\n")),
        ROW("UTF-8 in a name", 400, HEAD("\xc3\xa9: b\r\n")),
        ROW("line folding", 400, HEAD("A: b\r\n c\r\n")),
        ROW("line folding with a tab", 400, HEAD("A: b\r\n\tc\r\n")),
        ROW("line of white space", 400, HEAD("A: b\r\n \r\n")),
        ROW("white space after the request line", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        ROW("NUL in a value", 400, HEAD("A: b\0c\r\n")),
        ROW("CR in a value", 400, HEAD("A: b\rc\r\n")),
        ROW("CR at the start of a value", 400, HEAD("A:\r b\r\n")),
        ROW("CR CR LF", 400, HEAD("A: b\r\r\n")),
        ROW("CR CR LF for the last line", 400, HEAD("A: b\r\n\r")),
        ROW("escape in a value", 400, HEAD("A: \x1b[0m\r\n")),
        ROW("DEL in a value", 400, HEAD("A: \x7f\r\n")),
        ROW("vertical tab after the colon", 400, HEAD("A:\vb\r\n")),
        ROW("bare LF", 0, "GET / HTTP/1.1\nHost: a\n\n"),
        ROW("bare LF once", 0, "GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n"),
        ROW("other expectation", 417, HEAD("Expect: 200-ok\r\n")),
        ROW("list of expectations", 417, HEAD("Expect: 100-continue, x\r\n")),
        ROW("other expectation, HTTP/1.0", 0, HEAD_1_0("Expect: 200-ok\r\n")),
        ROW("names that only begin alike", 0, HEAD("Hosts: b\r\nContent-Length-X: 1\r\n")),
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void hosts(void **state)
{
    static const struct row rows[] = {
        ROW("name", 0, HOST("example.com")),
        ROW("name and port", 0, HOST(" a_b-c.d:65535 ")),
        ROW("empty port", 0, HOST("a:")),
        ROW("IPv4", 0, HOST("127.0.0.1:1")),
        ROW("IPv6", 0, HOST("[::ffff:1.2.3.4]")),
        ROW("name of 255 bytes", 0, HOST(A255)),
        ROW("name of 256 bytes", 400, HOST(A255 "a")),
        ROW("none", 400, "GET / HTTP/1.1\r\nA: b\r\n\r\n"),
        ROW("none, HTTP/1.0", 0, HEAD_1_0("")),
        ROW("empty", 400, HOST("")),
        ROW("repeated", 400, HEAD("Host: b\r\n")),
        ROW("repeated, the same", 400, HEAD("hOST: a\r\n")),
        ROW("repeated, HTTP/1.0", 400, HEAD_1_0("Host: a\r\nHost: a\r\n")),
        ROW("list", 400, HOST("a, b")),
        ROW("comma", 400, HOST("a,b")),
        ROW("slash", 400, HOST("a/b")),
        ROW("userinfo", 400, HOST("u@a")),
        ROW("escape", 400, HOST("a%41")),
        ROW("query", 400, HOST("a?b")),
        ROW("URI", 400, HOST("http://a")),
        ROW("UTF-8", 400, HOST("\xc3\xa9.com")),
        ROW("port only", 400, HOST(":80")),
        ROW("port zero", 400, HOST("a:0")),
        ROW("port too large", 400, HOST("a:65536")),
        ROW("port of six digits", 400, HOST("a:000080")),
        ROW("port with a sign", 400, HOST("a:+80")),
        ROW("two ports", 400, HOST("a:80:80")),
        ROW("IPv6 without brackets", 400, HOST("::1")),
        ROW("IPv6, open", 400, HOST("[::1")),
        ROW("IPv6, empty", 400, HOST("[]")),
        ROW("IPv6, zone", 400, HOST("[fe80::1%25eth0]")),
        ROW("IPv6, junk behind", 400, HOST("[::1]a")),
        ROW("IPv4 in brackets", 400, HOST("[1.2.3.4]")),
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void lengths(void **state)
{
    static const struct row rows[] = {
        ROW("length", 0, HEAD("Content-Length: 2\r\n") "ab"),
        ROW("zero", 0, HEAD("Content-Length: 0\r\n")),
        ROW("zeros in front", 0, HEAD("Content-Length: 002\r\n") "ab"),
        ROW("HTTP/1.0", 0, HEAD_1_0("Content-Length: 2\r\n") "ab"),
        ROW("repeated", 400, HEAD("Content-Length: 2\r\nContent-Length: 3\r\n") "abc"),
        ROW("repeated, the same", 400, HEAD("Content-Length: 2\r\nContent-length: 2\r\n") "ab"),
        ROW("list", 400, HEAD("Content-Length: 2, 2\r\n") "ab"),
        ROW("list without a space", 400, HEAD("Content-Length: 2,2\r\n") "ab"),
        ROW("empty", 400, HEAD("Content-Length:\r\n")),
        ROW("white space", 400, HEAD("Content-Length: \t\r\n")),
        ROW("plus", 400, HEAD("Content-Length: +2\r\n") "ab"),
        ROW("minus", 400, HEAD("Content-Length: -2\r\n") "ab"),
        ROW("space inside", 400, HEAD("Content-Length: 2 2\r\n") "ab"),
        ROW("hexadecimal", 400, HEAD("Content-Length: 0x2\r\n") "ab"),
        ROW("hexadecimal digit", 400, HEAD("Content-Length: a\r\n") "ab"),
        ROW("fraction", 400, HEAD("Content-Length: 2.0\r\n") "ab"),
        ROW("exponent", 400, HEAD("Content-Length: 2e0\r\n") "ab"),
        ROW("quotes", 400, HEAD("Content-Length: \"2\"\r\n") "ab"),
        ROW("underscore", 400, HEAD("Content-Length: 1_0\r\n")),
        ROW("2^64", 400, HEAD("Content-Length: 18446744073709551616\r\n")),
        ROW("2^64 - 1", 413, HEAD("Content-Length: 18446744073709551615\r\n")),
        ROW("2^64 + 2", 400, HEAD("Content-Length: 18446744073709551618\r\n") "ab"),
        ROW("10 * 2^64", 400, HEAD("Content-Length: 184467440737095516160\r\n")),
        ROW("above the limit", 413, HEAD("Content-Length: 1048577\r\n")),
        ROW("space before the colon", 400, HEAD("Content-Length : 2\r\n") "ab"),
        ROW("vertical tab before the number", 400, HEAD("Content-Length: \v2\r\n") "ab"),
        ROW("bare LF elsewhere", 400, "GET / HTTP/1.1\nHost: a\r\nContent-Length: 2\r\n\r\nab"),
        ROW("bare LF at its end", 400, HEAD("Content-Length: 2\n") "ab"),
        ROW("bare LF at the end", 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\nab"),
        ROW("bare LF before", 400, "\n" HEAD("Content-Length: 2\r\n") "ab"),
        ROW("bare LF, no content", 400, "GET / HTTP/1.1\nHost: a\nContent-Length: 0\n\n"),
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

#define END "0\r\n\r\n"

static void codings(void **state)
{
    static const struct row rows[] = {
        ROW("chunked", 0, HEAD("Transfer-Encoding: chunked\r\n") END),
        ROW("any case", 0, HEAD("tRANSFER-eNCODING: \tCHUNKED \r\n") END),
        ROW("length before", 400, HEAD("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") END),
        ROW("length behind", 400, HEAD("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") END),
        ROW("length of zero", 400, HEAD("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n") END),
        ROW("HTTP/1.0", 400, HEAD_1_0("Transfer-Encoding: chunked\r\n") END),
        ROW("repeated", 400,
            HEAD("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") END),
        ROW("repeated, another behind", 400,
            HEAD("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n") END),
        ROW("twice in one", 400, HEAD("Transfer-Encoding: chunked, chunked\r\n") END),
        ROW("not the last", 400, HEAD("Transfer-Encoding: chunked, gzip\r\n") END),
        ROW("another before", 501, HEAD("Transfer-Encoding: gzip, chunked\r\n") END),
        ROW("another alone", 501, HEAD("Transfer-Encoding: gzip\r\n") END),
        ROW("identity", 501, HEAD("Transfer-Encoding: identity\r\n") END),
        ROW("cow", 501, HEAD("Transfer-Encoding: cow\r\n") END),
        ROW("letter before", 400, HEAD("Transfer-Encoding: xchunked\r\n") END),
        ROW("letter behind", 400, HEAD("Transfer-Encoding: chunkedx\r\n") END),
        ROW("comma before", 400, HEAD("Transfer-Encoding: ,chunked\r\n") END),
        ROW("comma behind", 400, HEAD("Transfer-Encoding: chunked,\r\n") END),
        ROW("parameter", 400, HEAD("Transfer-Encoding: chunked;q=1\r\n") END),
        ROW("quotes", 400, HEAD("Transfer-Encoding: \"chunked\"\r\n") END),
        ROW("two words", 400, HEAD("Transfer-Encoding: x chunked\r\n") END),
        ROW("empty", 400, HEAD("Transfer-Encoding:\r\n") END),
        ROW("space before the colon", 400, HEAD("Transfer-Encoding : chunked\r\n") END),
        ROW("space before the name", 400, HEAD(" Transfer-Encoding: chunked\r\n") END),
        ROW("folded", 400, HEAD("Transfer-Encoding:\r\n chunked\r\n") END),
        ROW("vertical tab", 400, HEAD("Transfer-Encoding: \vchunked\r\n") END),
        ROW("NUL behind", 400, HEAD("Transfer-Encoding: chunked\0\r\n") END),
        ROW("UTF-8 behind", 400, HEAD("Transfer-Encoding: chunked\xa0\r\n") END),
        ROW("CR in front of the name", 400, HEAD("A: b\r\n\rTransfer-Encoding: chunked\r\n") END),
        ROW("hidden behind a bare CR", 400, HEAD("A: b\rTransfer-Encoding: chunked\r\n") END),
        ROW("bare LF", 400, HEAD("A: b\nTransfer-Encoding: chunked\r\n") END),
        ROW("underscore is another field", 0, HEAD("Transfer_Encoding: chunked\r\n")),
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_lines), cmocka_unit_test(fields),  cmocka_unit_test(hosts),
        cmocka_unit_test(lengths),       cmocka_unit_test(codings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
