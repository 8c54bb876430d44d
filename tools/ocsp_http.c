/* SPDX-License-Identifier: MIT */
#include "tools/ocsp_http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Nothing that could end a line of the request or begin another one. */
static bool is_printable(lr_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.bytes[i] <= ' ' || text.bytes[i] > 126)
            return false;
    }
    return true;
}

static bool copy_text(char *out, size_t cap, lr_slice from)
{
    if (from.len >= cap)
        return false;
    if (from.len != 0)
        memcpy(out, from.bytes, from.len);
    out[from.len] = '\0';
    return true;
}

static bool read_authority(lr_slice text, ocsp_url *out)
{
    const uint8_t *close =
        text.len != 0 && text.bytes[0] == '[' ? memchr(text.bytes, ']', text.len) : NULL;
    lr_slice host = text, port = LR_LIT("80");
    const uint8_t *colon;

    if (!copy_text(out->authority, sizeof(out->authority), text) ||
        memchr(text.bytes, '@', text.len))
        return false;
    colon = close ? close + 1 : memchr(text.bytes, ':', text.len);
    if (close && colon == text.bytes + text.len)
        colon = NULL;
    if (colon && *colon != ':')
        return false;
    if (colon) {
        host.len = (size_t)(colon - text.bytes);
        port = lr_slice_of(colon + 1, text.len - host.len - 1);
    }
    if (close)
        host = lr_slice_of(text.bytes + 1, (size_t)(close - text.bytes) - 1);
    for (size_t i = 0; i < port.len; i++) {
        if (port.bytes[i] < '0' || port.bytes[i] > '9')
            return false;
    }
    return host.len != 0 && port.len != 0 && copy_text(out->host, sizeof(out->host), host) &&
           copy_text(out->port, sizeof(out->port), port);
}

bool ocsp_url_read(lr_slice text, ocsp_url *out, const char **reason)
{
    static const char scheme[] = "http://";
    size_t len = sizeof(scheme) - 1, end = len;
    lr_slice path;

    *reason = "it is no address http://HOST[:PORT]/PATH";
    if (!is_printable(text))
        return false;
    if (text.len < len || strncasecmp((const char *)text.bytes, scheme, len) != 0) {
        if (text.len >= 8 && strncasecmp((const char *)text.bytes, "https://", 8) == 0)
            *reason = "only http:// is asked, because answers are signed";
        return false;
    }
    while (end < text.len && !memchr("/?#", text.bytes[end], 3))
        end++;
    if (end == len || !read_authority(lr_slice_of(text.bytes + len, end - len), out))
        return false;
    path = lr_slice_of(text.bytes + end, text.len - end);
    for (size_t i = 0; i < path.len; i++) {
        if (path.bytes[i] == '#')
            path.len = i;
    }
    if (path.len == 0 || path.bytes[0] != '/') {
        out->path[0] = '/';
        return copy_text(out->path + 1, sizeof(out->path) - 1, path);
    }
    return copy_text(out->path, sizeof(out->path), path);
}

size_t ocsp_http_request(const ocsp_url *url, size_t body_len, char *out, size_t cap)
{
    int len = snprintf(out, cap,
                       "POST %s HTTP/1.0\r\n"
                       "Host: %s\r\n"
                       "Content-Type: application/ocsp-request\r\n"
                       "Accept: application/ocsp-response\r\n"
                       "Content-Length: %zu\r\n"
                       "Connection: close\r\n"
                       "\r\n",
                       url->path, url->authority, body_len);

    return len > 0 && (size_t)len < cap ? (size_t)len : 0;
}

/* A line without its end; *in is behind it. False: it has not ended. */
static bool take_line(lr_slice *in, lr_slice *line)
{
    const uint8_t *end = in->len != 0 ? memchr(in->bytes, '\n', in->len) : NULL;

    if (!end)
        return false;
    *line = lr_slice_of(in->bytes, (size_t)(end - in->bytes));
    *in = lr_slice_of(end + 1, in->len - line->len - 1);
    if (line->len != 0 && line->bytes[line->len - 1] == '\r')
        line->len--;
    return true;
}

static ocsp_http_state bad(char reason[96], const char *text)
{
    (void)snprintf(reason, 96, "%s", text);
    return OCSP_HTTP_BAD;
}

/* The value of a header field, without blanks around it. */
static bool field_is(lr_slice line, const char *name, lr_slice *value)
{
    size_t len = strlen(name);

    if (line.len <= len || line.bytes[len] != ':' ||
        strncasecmp((const char *)line.bytes, name, len) != 0)
        return false;
    *value = lr_slice_of(line.bytes + len + 1, line.len - len - 1);
    while (value->len != 0 && (value->bytes[0] == ' ' || value->bytes[0] == '\t'))
        *value = lr_slice_of(value->bytes + 1, value->len - 1);
    while (value->len != 0 &&
           (value->bytes[value->len - 1] == ' ' || value->bytes[value->len - 1] == '\t'))
        value->len--;
    return true;
}

static bool read_length(lr_slice digits, size_t *out)
{
    *out = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.bytes[i] < '0' || digits.bytes[i] > '9' || i == 9)
            return false;
        *out = *out * 10 + (size_t)(digits.bytes[i] - '0');
    }
    return digits.len != 0;
}

static ocsp_http_state read_status(lr_slice line, char reason[96])
{
    if (line.len < 12 || memcmp(line.bytes, "HTTP/1.", 7) != 0 || line.bytes[8] != ' ')
        return bad(reason, "the answer is not HTTP");
    for (size_t i = 9; i < 12; i++) {
        if (line.bytes[i] < '0' || line.bytes[i] > '9')
            return bad(reason, "the answer is not HTTP");
    }
    if (memcmp(line.bytes + 9, "200", 3) == 0)
        return OCSP_HTTP_DONE;
    (void)snprintf(reason, 96, "the answer is HTTP status %.3s", (const char *)line.bytes + 9);
    return OCSP_HTTP_BAD;
}

/* DONE: the head is whole, *rest what follows, *len SIZE_MAX: until the end. */
static ocsp_http_state read_head(lr_slice *rest, size_t *len, char reason[96])
{
    lr_slice line, value;

    *len = SIZE_MAX;
    if (!take_line(rest, &line))
        return OCSP_HTTP_MORE;
    if (read_status(line, reason) != OCSP_HTTP_DONE)
        return OCSP_HTTP_BAD;
    while (take_line(rest, &line)) {
        if (line.len == 0)
            return OCSP_HTTP_DONE;
        if (field_is(line, "transfer-encoding", &value))
            return bad(reason, "the answer is in chunks, which HTTP/1.0 has not");
        if (field_is(line, "content-length", &value) && !read_length(value, len))
            return bad(reason, "the answer has no length that could be");
    }
    return OCSP_HTTP_MORE;
}

ocsp_http_state ocsp_http_read(lr_slice bytes, bool ended, size_t body_max, lr_slice *body,
                               char reason[96])
{
    ocsp_http_state head;
    lr_slice rest = bytes;
    size_t len;

    head = read_head(&rest, &len, reason);
    if (head == OCSP_HTTP_BAD)
        return head;
    if (head == OCSP_HTTP_MORE && bytes.len >= OCSP_HTTP_HEAD_MAX)
        return bad(reason, "the head of the answer is too long");
    if (head == OCSP_HTTP_MORE)
        return ended ? bad(reason, bytes.len == 0 ? "there was no answer"
                                                  : "the answer ended inside its head")
                     : OCSP_HTTP_MORE;
    if (len == SIZE_MAX ? rest.len > body_max : len > body_max) {
        (void)snprintf(reason, 96, "the answer is longer than %zu bytes", body_max);
        return OCSP_HTTP_BAD;
    }
    if (len == SIZE_MAX ? !ended : rest.len < len)
        return ended ? bad(reason, "the answer is shorter than it says") : OCSP_HTTP_MORE;
    *body = lr_slice_of(rest.bytes, len == SIZE_MAX ? rest.len : len);
    return OCSP_HTTP_DONE;
}
