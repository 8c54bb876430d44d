/* SPDX-License-Identifier: MIT */
#include "proxy_maker.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

void proxy_add(proxy_bytes *to, const void *bytes, size_t len)
{
    if (to->len + len > sizeof(to->bytes))
        abort();
    if (len > 0)
        memcpy(to->bytes + to->len, bytes, len);
    to->len += len;
}

void proxy_v1(proxy_bytes *out, const char *line)
{
    out->len = 0;
    proxy_add(out, line, strlen(line));
    proxy_add(out, "\r\n", 2);
}

static void put_length(proxy_bytes *to)
{
    to->bytes[14] = (uint8_t)((to->len - 16) >> 8);
    to->bytes[15] = (uint8_t)(to->len - 16);
}

void proxy_v2(proxy_bytes *out, uint8_t command, uint8_t family, const void *block, size_t len)
{
    out->len = 0;
    proxy_add(out, "\r\n\r\n\0\r\nQUIT\n", 12);
    proxy_add(out, &command, 1);
    proxy_add(out, &family, 1);
    proxy_add(out, "\0", 2);
    proxy_add(out, block, len);
    put_length(out);
}

void proxy_v2_from(proxy_bytes *out, const char *from, uint16_t from_port, const char *to,
                   uint16_t to_port)
{
    int family = strchr(from, ':') ? AF_INET6 : AF_INET;
    size_t size = family == AF_INET ? 4 : 16;
    uint16_t ports[2] = {htons(from_port), htons(to_port)};
    uint8_t block[36];

    if (inet_pton(family, from, block) != 1 || inet_pton(family, to, block + size) != 1)
        abort();
    memcpy(block + 2 * size, ports, sizeof(ports));
    proxy_v2(out, PROXY_PROXY, family == AF_INET ? PROXY_TCP4 : PROXY_TCP6, block, 2 * size + 4);
}

void proxy_tlv(proxy_bytes *to, uint8_t type, const void *value, size_t len)
{
    uint8_t head[3] = {type, (uint8_t)(len >> 8), (uint8_t)len};

    proxy_add(to, head, sizeof(head));
    proxy_add(to, value, len);
    put_length(to);
}

/* By long division, the highest bit first: another way than that of the parser. */
static uint32_t crc32c(const uint8_t *bytes, size_t len)
{
    uint32_t crc = UINT32_MAX, mirrored = 0;

    for (size_t i = 0; i < len * 8; i++) {
        uint32_t bit = (uint32_t)bytes[i / 8] >> i % 8 & 1;
        uint32_t top = crc >> 31;

        crc = crc << 1 ^ (top != bit ? UINT32_C(0x1edc6f41) : 0);
    }
    for (int i = 0; i < 32; i++)
        mirrored |= (crc >> i & 1) << (31 - i);
    return ~mirrored;
}

void proxy_crc(proxy_bytes *to)
{
    uint32_t crc;

    proxy_tlv(to, 0x03, "\0\0\0", 4);
    crc = htonl(crc32c(to->bytes, to->len));
    memcpy(to->bytes + to->len - 4, &crc, 4);
}
