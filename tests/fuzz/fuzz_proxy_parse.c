/* SPDX-License-Identifier: MIT */
/* Fuzzes proto/proxy_parse.h: every prefix of what is accepted asks for more, what follows changes
 * nothing, and what a header says lies inside it. */
#include "core/base/check.h"
#include "proto/proxy_parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static lr_proxy_result parse(const uint8_t *bytes, size_t len, lr_proxy_header *out,
                             const char **reason)
{
    uint8_t *copy = malloc(len > 0 ? len : 1); /* of exactly that size */
    lr_proxy_result result;

    LR_CHECK(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    result = lr_proxy_parse(lr_slice_of(copy, len), out, reason);
    LR_CHECK((result == LR_PROXY_REFUSED) == (*reason != NULL));
    if (result != LR_PROXY_DONE)
        LR_CHECK(out->size == 0 && out->version == 0);
    free(copy);
    return result;
}

static void check_inside(lr_slice part, const uint8_t *bytes, size_t len)
{
    if (part.len > 0)
        LR_CHECK(part.bytes >= bytes && part.bytes + part.len <= bytes + len);
}

static void check_header(const lr_proxy_header *header, const uint8_t *bytes)
{
    lr_slice rest = header->tlvs, value;
    lr_proxy_tlv tlv;
    lr_proxy_ssl ssl;

    LR_CHECK(header->version == 1 || header->version == 2);
    LR_CHECK(header->size <= (header->version == 1 ? LR_PROXY_V1_MAX : LR_PROXY_SIZE_MAX));
    LR_CHECK(header->source.family == header->destination.family);
    check_inside(header->source_path, bytes, header->size);
    check_inside(header->destination_path, bytes, header->size);
    check_inside(header->tlvs, bytes, header->size);
    while (lr_proxy_tlv_next(&rest, &tlv)) {
        check_inside(tlv.value, bytes, header->size);
        LR_CHECK(lr_proxy_tlv_find(header->tlvs, tlv.type, &value));
        if (tlv.type == LR_PROXY_SSL)
            LR_CHECK(lr_proxy_ssl_read(tlv.value, &ssl));
    }
    LR_CHECK(rest.len == 0);
    LR_CHECK(lr_proxy_tlv_find(header->tlvs, LR_PROXY_CRC32C, &value) == header->has_crc);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *reason, *whole_reason;
    lr_proxy_header whole, part;
    lr_proxy_result result;

    if (len > 1100)
        return 0;
    result = lr_proxy_parse(lr_slice_of(bytes, len), &whole, &whole_reason);
    if (result == LR_PROXY_DONE) {
        LR_CHECK(whole.size <= len);
        check_header(&whole, bytes);
        LR_CHECK(parse(bytes, whole.size, &part, &reason) == LR_PROXY_DONE);
        LR_CHECK(part.size == whole.size);
    }
    for (size_t i = 0; i < len; i++) {
        lr_proxy_result early = parse(bytes, i, &part, &reason);

        if (early == LR_PROXY_DONE)
            LR_CHECK(result == LR_PROXY_DONE && i >= whole.size && part.size == whole.size);
        else if (early == LR_PROXY_REFUSED)
            LR_CHECK(result == LR_PROXY_REFUSED && reason == whole_reason);
    }
    return 0;
}
