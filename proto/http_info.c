/* SPDX-License-Identifier: MIT */
#include "proto/http_info.h"

#include <lockring/certificate.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t lr_http_json_string(lr_slice text, char *out, size_t cap)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;

    if (cap < 3)
        return 0;
    out[at++] = '"';
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.bytes[i];

        if (at + 6 + 2 > cap) /* the longest escape, quote, zero */
            return 0;
        if (byte == '"' || byte == '\\') {
            out[at++] = '\\';
            out[at++] = (char)byte;
        } else if (byte >= 0x20 && byte < 0x7f) {
            out[at++] = (char)byte;
        } else {
            memcpy(out + at, "\\u00", 4);
            out[at + 4] = hex[byte >> 4];
            out[at + 5] = hex[byte & 15];
            at += 6;
        }
    }
    out[at++] = '"';
    out[at] = '\0';
    return at;
}

/* An object that grows; too_long once it did not fit. */
typedef struct object {
    char *out;
    size_t cap, len;
    bool too_long;
} object;

__attribute__((format(printf, 2, 3))) static void add(object *o, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(o->out + o->len, o->cap - o->len, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= o->cap - o->len)
        o->too_long = true;
    else
        o->len += (size_t)len;
}

static void add_key(object *o, const char *key)
{
    add(o, "%s\n  \"%s\": ", o->len > 1 ? "," : "", key);
}

static void add_text(object *o, const char *key, lr_slice text)
{
    size_t len;

    add_key(o, key);
    if (text.len == 0) {
        add(o, "\"\"");
        return;
    }
    len = lr_http_json_string(text, o->out + o->len, o->cap - o->len);
    if (len == 0)
        o->too_long = true;
    o->len += len;
}

static void add_word(object *o, const char *key, const char *word)
{
    add_text(o, key, lr_slice_of(word, strlen(word)));
}

static void add_number(object *o, const char *key, uint64_t number)
{
    add_key(o, key);
    add(o, "%llu", (unsigned long long)number);
}

static void add_bool(object *o, const char *key, bool value)
{
    add_key(o, key);
    add(o, "%s", value ? "true" : "false");
}

static void add_null(object *o, const char *key)
{
    add_key(o, key);
    add(o, "null");
}

static const char *protocol_of(const lr_conn *c)
{
    switch (lr_conn_version(c)) {
    case LR_TLS_1_2:
        return "TLSv1.2";
    case LR_TLS_1_3:
        return "TLSv1.3";
    case LR_TLS_DEFAULT:
        break;
    }
    return "";
}

/* The client's certificate, and whether it holds. */
static void add_peer(object *o, const lr_conn *c)
{
    const char *error = lr_conn_authorization_error(c);
    lr_certificate certificate;
    char text[1024];

    add_bool(o, "authorized", lr_conn_is_authorized(c));
    if (*error != '\0')
        add_word(o, "authorization_error", error);
    else
        add_null(o, "authorization_error");
    if (lr_certificate_parse(lr_conn_peer_certificate(c, 0), &certificate)) {
        (void)lr_certificate_subject(&certificate, text, sizeof(text));
        add_word(o, "peer_subject", text);
    } else {
        add_null(o, "peer_subject");
    }
    if (lr_conn_peer_fingerprint256(c, text))
        add_word(o, "peer_fingerprint256", text);
    else
        add_null(o, "peer_fingerprint256");
}

size_t lr_http_info(lr_conn *c, char *out, size_t cap)
{
    object o = {out, cap, 0, cap == 0};
    lr_worker *w = lr_conn_worker(c);
    lr_conn_bytes bytes = lr_conn_byte_counts(c);
    char remote[64];

    if (o.too_long)
        return 0;
    (void)lr_conn_remote(c, remote, sizeof(remote));
    add(&o, "{");
    add_word(&o, "protocol", protocol_of(c));
    add_word(&o, "cipher", lr_conn_cipher(c));
    add_word(&o, "group", lr_conn_group(c));
    add_text(&o, "alpn", lr_conn_alpn(c));
    add_text(&o, "servername", lr_conn_servername(c));
    add_bool(&o, "resumed", lr_conn_is_resumed(c));
    add_bool(&o, "early_data", false);
    add_peer(&o, c);
    add_number(&o, "worker", lr_worker_index(w));
    add_word(&o, "ring", lr_workers_ring(lr_worker_workers(w)));
    add_number(&o, "fragment", lr_conn_fragment_size_max(c));
    add_word(&o, "remote", remote);
    if (*lr_conn_ja4(c) != '\0')
        add_word(&o, "ja4", lr_conn_ja4(c));
    else
        add_null(&o, "ja4");
    add_number(&o, "wire_in", bytes.wire_in);
    add_number(&o, "wire_out", bytes.wire_out);
    add_number(&o, "app_in", bytes.app_in);
    add_number(&o, "app_out", bytes.app_out);
    add(&o, "\n}\n");
    return o.too_long ? 0 : o.len;
}
