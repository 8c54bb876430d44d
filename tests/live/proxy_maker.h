/* SPDX-License-Identifier: MIT */
/* proxy_maker.h: headers of the PROXY protocol, right and wrong ones, for every kind of test. */
#ifndef LR_TESTS_LIVE_PROXY_MAKER_H
#define LR_TESTS_LIVE_PROXY_MAKER_H

#include <stddef.h>
#include <stdint.h>

enum { PROXY_LOCAL = 0x20, PROXY_PROXY = 0x21 };
enum { PROXY_UNSPEC = 0x00, PROXY_TCP4 = 0x11, PROXY_TCP6 = 0x21, PROXY_UNIX = 0x31 };

typedef struct proxy_bytes {
    uint8_t bytes[2048];
    size_t len;
} proxy_bytes;

/* Behind what is there already. */
void proxy_add(proxy_bytes *to, const void *bytes, size_t len);

void proxy_v1(proxy_bytes *out, const char *line); /* without its CRLF, which is added */

/* Version 2: the fixed bytes and a block, which may be anything. */
void proxy_v2(proxy_bytes *out, uint8_t command, uint8_t family, const void *block, size_t len);
/* From and to addresses in digits, of both families. */
void proxy_v2_from(proxy_bytes *out, const char *from, uint16_t from_port, const char *to,
                   uint16_t to_port);
/* Behind the block; the length of the header grows. */
void proxy_tlv(proxy_bytes *to, uint8_t type, const void *value, size_t len);
void proxy_crc(proxy_bytes *to); /* the last TLV, right for what is there */

#endif
