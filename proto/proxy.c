/* SPDX-License-Identifier: MIT */
#include "proto/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lr_proxy {
    void (*on_header)(lr_conn *c, const lr_proxy_header *header);
    uint32_t sender_count;
    lr_proxy_sender senders[];
};

enum { MAPPED_BITS = 96 }; /* the prefix of IPv4 in IPv6, ::ffff:0:0/96 (RFC 4291 2.5.5.2) */

static bool is_mapped(const uint8_t *bytes)
{
    static const uint8_t mapped[MAPPED_BITS / 8] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

/* IPv4, whichever of its two forms it came in: a listener for both families sees the longer one. */
static void unmap(lr_family *family, uint8_t *bytes)
{
    if (*family != LR_FAMILY_IPV6 || !is_mapped(bytes))
        return;
    *family = LR_FAMILY_IPV4;
    memmove(bytes, bytes + MAPPED_BITS / 8, 4);
    memset(bytes + 4, 0, 12);
}

/* The digits behind the slash. */
static bool read_bits(const char *digits, unsigned max, uint8_t *out)
{
    size_t len = strlen(digits);
    unsigned bits = 0;

    if (len == 0 || len > 3 || (len > 1 && digits[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        bits = bits * 10 + (unsigned)(digits[i] - '0');
    }
    *out = (uint8_t)(bits <= max ? bits : 0);
    return bits <= max;
}

/* Are all bits behind the prefix zero? */
static bool is_prefix(const lr_proxy_sender *sender, unsigned max)
{
    for (unsigned i = sender->bits; i < max; i++) {
        if ((sender->bytes[i / 8] & 0x80 >> i % 8) != 0)
            return false;
    }
    return true;
}

bool lr_proxy_sender_read(const char *text, lr_proxy_sender *out, const char **reason)
{
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    char host[INET6_ADDRSTRLEN];
    unsigned max;

    memset(out, 0, sizeof(*out));
    if (strcmp(text, "unix:") == 0) {
        out->family = LR_FAMILY_UNIX;
        return true;
    }
    *reason = "is neither an address nor ADDRESS/BITS nor unix:";
    if (len >= sizeof(host))
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    out->family = memchr(text, ':', len) ? LR_FAMILY_IPV6 : LR_FAMILY_IPV4;
    max = out->family == LR_FAMILY_IPV6 ? 128 : 32;
    out->bits = (uint8_t)max;
    if (inet_pton(out->family == LR_FAMILY_IPV6 ? AF_INET6 : AF_INET, host, out->bytes) != 1)
        return false;
    if (slash && !read_bits(slash + 1, max, &out->bits)) {
        *reason = max == 32 ? "needs 0 to 32 bits" : "needs 0 to 128 bits";
        return false;
    }
    if (!is_prefix(out, max)) {
        *reason = "has bits behind its prefix";
        return false;
    }
    if (out->family == LR_FAMILY_IPV6 && out->bits >= MAPPED_BITS && is_mapped(out->bytes)) {
        unmap(&out->family, out->bytes);
        out->bits = (uint8_t)(out->bits - MAPPED_BITS);
    }
    return true;
}

static bool is_within(const lr_proxy_sender *sender, const uint8_t *bytes)
{
    unsigned whole = sender->bits / 8, rest = sender->bits % 8;

    if (memcmp(sender->bytes, bytes, whole) != 0)
        return false;
    return rest == 0 || (sender->bytes[whole] ^ bytes[whole]) >> (8 - rest) == 0;
}

bool lr_proxy_is_sender(const lr_proxy *p, const lr_address *address)
{
    lr_address from = *address;

    unmap(&from.family, from.bytes);
    if (from.family == LR_FAMILY_NONE)
        return false;
    for (uint32_t i = 0; i < p->sender_count; i++) {
        if (p->senders[i].family == from.family && is_within(&p->senders[i], from.bytes))
            return true;
    }
    return false;
}

static lr_status fail(lr_error *err, lr_status status, const char *what, const char *why)
{
    if (err) {
        *err = (lr_error){.status = status, .tls_alert = -1};
        (void)snprintf(err->text, sizeof(err->text), "lr_proxy_options: %.60s%s%s", what,
                       *why ? " " : "", why);
    }
    return status;
}

lr_status lr_proxy_new(const lr_proxy_options *options, lr_proxy **out, lr_error *err)
{
    lr_proxy *p;

    *out = NULL;
    if (!options || options->size != sizeof(*options))
        return fail(err, LR_EOPTION, "the size is not this version's", "");
    if (options->sender_count == 0 || !options->senders)
        return fail(err, LR_EOPTION, "senders is missing", "");
    p = calloc(1, sizeof(*p) + options->sender_count * sizeof(p->senders[0]));
    if (!p)
        return fail(err, LR_ENOMEM, "out of memory", "");
    p->on_header = options->on_header;
    p->sender_count = options->sender_count;
    for (uint32_t i = 0; i < options->sender_count; i++) {
        const char *reason;

        if (!lr_proxy_sender_read(options->senders[i], &p->senders[i], &reason)) {
            lr_proxy_free(p);
            return fail(err, LR_EOPTION, options->senders[i], reason);
        }
    }
    *out = p;
    return LR_OK;
}

void lr_proxy_free(lr_proxy *p)
{
    free(p);
}

lr_status lr_proxy_preface(const lr_proxy *p, lr_conn *c, lr_slice bytes, size_t *used,
                           const char **reason)
{
    lr_address sender = lr_conn_remote_address(c); /* the socket's, until it is told another */
    lr_proxy_header header;

    if (!lr_proxy_is_sender(p, &sender))
        return LR_OK;
    switch (lr_proxy_parse(bytes, &header, reason)) {
    case LR_PROXY_MORE:
        return LR_EAGAIN;
    case LR_PROXY_REFUSED:
        return LR_EPREFACE;
    case LR_PROXY_DONE:
        break;
    }
    if (header.source.family != LR_FAMILY_NONE &&
        lr_conn_set_addresses(c, &header.source, &header.destination) != LR_OK)
        return LR_ENOMEM;
    if (p->on_header)
        p->on_header(c, &header);
    *used = header.size;
    return LR_OK;
}
