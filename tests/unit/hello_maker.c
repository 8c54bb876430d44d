/* SPDX-License-Identifier: MIT */
#include "hello_maker.h"

#include "core/base/check.h"

#include <string.h>

/* A writer over memory that must be large enough. */
typedef struct writer {
    uint8_t *bytes;
    size_t len, room;
} writer;

static void put(writer *w, const void *bytes, size_t len)
{
    LR_CHECK(len <= w->room - w->len);
    if (len > 0)
        memcpy(w->bytes + w->len, bytes, len);
    w->len += len;
}

static void put_u8(writer *w, size_t value)
{
    uint8_t byte = (uint8_t)value;

    put(w, &byte, 1);
}

static void put_u16(writer *w, size_t value)
{
    put_u8(w, value >> 8);
    put_u8(w, value);
}

static void put_fill(writer *w, size_t value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        put_u8(w, value);
}

/* A vector whose length is not known yet: open, write, close. */
static size_t open_u16(writer *w)
{
    put_u16(w, 0);
    return w->len;
}

static void close_u16(writer *w, size_t start)
{
    size_t len = w->len - start;

    LR_CHECK(len <= UINT16_MAX);
    w->bytes[start - 2] = (uint8_t)(len >> 8);
    w->bytes[start - 1] = (uint8_t)len;
}

static void put_sni(writer *w, const hello_plan *plan)
{
    const char *name = plan->name != NULL ? plan->name : "www.example.org";
    size_t list = open_u16(w);

    put_u8(w, 0);
    put_u16(w, strlen(name));
    put(w, name, strlen(name));
    close_u16(w, list);
}

static void put_max_fragment(writer *w, const hello_plan *plan)
{
    (void)plan;
    put_u8(w, 2);
}

static void put_status_request(writer *w, const hello_plan *plan)
{
    (void)plan;
    put_u8(w, 1);
    put_u16(w, 0);
    put_u16(w, 0);
}

static void put_groups(writer *w, const hello_plan *plan)
{
    size_t list = open_u16(w);

    if ((plan->flags & HELLO_GREASE) != 0)
        put_u16(w, 0x2a2a);
    if ((plan->flags & HELLO_MLKEM) != 0)
        put_u16(w, 0x11ec);
    put_u16(w, 0x001d);
    put_u16(w, 0x0017);
    put_u16(w, 0x0018);
    close_u16(w, list);
}

static void put_sigalgs(writer *w, const hello_plan *plan)
{
    size_t list = open_u16(w);

    if ((plan->flags & HELLO_GREASE) != 0)
        put_u16(w, 0x3a3a);
    put_u16(w, 0x0403);
    put_u16(w, 0x0804);
    put_u16(w, 0x0401);
    close_u16(w, list);
}

static void put_alpn(writer *w, const hello_plan *plan)
{
    const char *at = plan->alpn != NULL ? plan->alpn : "h2,http/1.1";
    size_t list = open_u16(w);

    if ((plan->flags & HELLO_GREASE) != 0)
        put(w, "\2\x4a\x4a", 3);
    for (;;) {
        size_t len = strcspn(at, ",");

        put_u8(w, len);
        put(w, at, len);
        if (at[len] == '\0')
            break;
        at += len + 1;
    }
    close_u16(w, list);
}

static void put_nothing(writer *w, const hello_plan *plan)
{
    (void)w;
    (void)plan;
}

static void put_record_size_limit(writer *w, const hello_plan *plan)
{
    (void)plan;
    put_u16(w, 16385);
}

static void put_ticket(writer *w, const hello_plan *plan)
{
    (void)plan;
    put_fill(w, 0xcc, 16);
}

static void put_versions(writer *w, const hello_plan *plan)
{
    bool grease = (plan->flags & HELLO_GREASE) != 0;

    put_u8(w, grease ? 6 : 4);
    if (grease)
        put_u16(w, 0x5a5a);
    put_u16(w, 0x0304);
    put_u16(w, 0x0303);
}

static void put_cookie(writer *w, const hello_plan *plan)
{
    (void)plan;
    put_u16(w, 4);
    put_fill(w, 0xdd, 4);
}

static void put_psk_modes(writer *w, const hello_plan *plan)
{
    bool grease = (plan->flags & HELLO_GREASE) != 0;

    put_u8(w, grease ? 2 : 1);
    if (grease)
        put_u8(w, 0x0b);
    put_u8(w, 1);
}

static void put_share(writer *w, unsigned group, size_t len)
{
    put_u16(w, group);
    put_u16(w, len);
    put_fill(w, 0x77, len);
}

static void put_shares(writer *w, const hello_plan *plan)
{
    size_t list = open_u16(w);

    if ((plan->flags & HELLO_GREASE) != 0)
        put_share(w, 0x2a2a, 1);
    if ((plan->flags & HELLO_MLKEM) != 0)
        put_share(w, 0x11ec, 1184 + 32);
    put_share(w, 0x001d, 32);
    close_u16(w, list);
}

static void put_reneg_info(writer *w, const hello_plan *plan)
{
    (void)plan;
    put_u8(w, 0);
}

static void put_psk(writer *w, const hello_plan *plan)
{
    size_t list = open_u16(w);

    (void)plan;
    put_u16(w, 32);
    put_fill(w, 0x11, 32);
    put(w, "\x01\x02\x03\x04", 4);
    put_u16(w, 100);
    put_fill(w, 0x22, 100);
    put(w, "\xff\xfe\xfd\xfc", 4);
    close_u16(w, list);
    list = open_u16(w);
    put_u8(w, 32);
    put_fill(w, 0x33, 32);
    put_u8(w, 48);
    put_fill(w, 0x44, 48);
    close_u16(w, list);
}

/* In the order of the flags' bits. */
static const struct {
    unsigned type;
    void (*put)(writer *w, const hello_plan *plan);
} makers[] = {
    {0, put_sni},
    {1, put_max_fragment},
    {5, put_status_request},
    {10, put_groups},
    {13, put_sigalgs},
    {16, put_alpn},
    {23, put_nothing},
    {28, put_record_size_limit},
    {35, put_ticket},
    {42, put_nothing},
    {43, put_versions},
    {44, put_cookie},
    {45, put_psk_modes},
    {49, put_nothing},
    {51, put_shares},
    {0xff01, put_reneg_info},
    {41, put_psk},
};

static void put_extension(writer *w, const hello_plan *plan, size_t maker)
{
    size_t body;

    put_u16(w, makers[maker].type);
    body = open_u16(w);
    makers[maker].put(w, plan);
    close_u16(w, body);
}

static void put_extensions(writer *w, const hello_plan *plan)
{
    size_t list = open_u16(w), last = LR_ARRAY_COUNT(makers) - 1;
    size_t psk_len = 0;

    if ((plan->flags & HELLO_GREASE) != 0)
        put(w, "\x6a\x6a\x00\x00", 4);
    for (size_t i = 0; i < last; i++)
        if ((plan->flags & 1u << i) != 0)
            put_extension(w, plan, i);
    put(w, plan->extra, plan->extra_len);
    if ((plan->flags & HELLO_GREASE) != 0)
        put(w, "\x7a\x7a\x00\x01\x00", 5);
    if ((plan->flags & HELLO_PSK) != 0)
        psk_len = 4 + 2 + 38 + 106 + 2 + 33 + 49;
    if (plan->message_len > w->len + psk_len + 4) {
        size_t body;

        put_u16(w, 21);
        body = open_u16(w);
        put_fill(w, 0, plan->message_len - psk_len - w->len);
        close_u16(w, body);
    }
    if ((plan->flags & HELLO_PSK) != 0)
        put_extension(w, plan, last);
    close_u16(w, list);
}

void hello_add(hello_plan *plan, unsigned type, const void *body, size_t len)
{
    writer w = {plan->extra, plan->extra_len, sizeof(plan->extra)};

    put_u16(&w, type);
    put_u16(&w, len);
    put(&w, body, len);
    plan->extra_len = w.len;
}

size_t hello_make(const hello_plan *plan, uint8_t out[HELLO_ROOM])
{
    static const uint8_t suites[] = {0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b, 0xc0, 0x2f};
    writer w = {out, 0, HELLO_ROOM};
    size_t list, body;

    put(&w, "\x01\x00\x00\x00", 4);
    put_u16(&w, plan->legacy_version != 0 ? plan->legacy_version : 0x0303);
    put_fill(&w, 0xab, 32);
    put_u8(&w, plan->session_id_len);
    put_fill(&w, 0x5e, plan->session_id_len);
    list = open_u16(&w);
    if ((plan->flags & HELLO_GREASE) != 0)
        put_u16(&w, 0x1a1a);
    if (plan->suites.bytes != NULL)
        put(&w, plan->suites.bytes, plan->suites.len);
    else
        put(&w, suites, sizeof(suites));
    if ((plan->flags & HELLO_SCSV) != 0)
        put_u16(&w, 0x00ff);
    close_u16(&w, list);
    if (plan->compression.bytes != NULL) {
        put_u8(&w, plan->compression.len);
        put(&w, plan->compression.bytes, plan->compression.len);
    } else {
        put(&w, "\x01\x00", 2);
    }
    if ((plan->flags & HELLO_NO_EXTENSIONS) == 0)
        put_extensions(&w, plan);
    body = w.len - 4;
    out[1] = (uint8_t)(body >> 16);
    out[2] = (uint8_t)(body >> 8);
    out[3] = (uint8_t)body;
    return w.len;
}

size_t hello_cut_size(size_t len, size_t fragment_size)
{
    return len + 5 * ((len + fragment_size - 1) / fragment_size);
}

size_t hello_cut(const uint8_t *message, size_t len, size_t fragment_size, uint8_t *wire)
{
    writer w = {wire, 0, hello_cut_size(len, fragment_size)};

    LR_CHECK(fragment_size > 0);
    for (size_t at = 0; at < len; at += fragment_size) {
        size_t part = len - at < fragment_size ? len - at : fragment_size;

        put(&w, "\x16\x03\x01", 3);
        put_u16(&w, part);
        put(&w, message + at, part);
    }
    return w.len;
}
