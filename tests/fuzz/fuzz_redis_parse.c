/* SPDX-License-Identifier: MIT */
/* Fuzzes proto/redis_parse.h: any pieces give the result of the whole, what follows a reply changes
 * nothing, what it says lies inside it, and its elements are as many as it says. The first byte
 * chooses the limit and the pieces. */
#include "core/base/check.h"
#include "proto/redis_parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_reply(const lr_redis_reply *reply, const uint8_t *begin, size_t size, int depth)
{
    lr_redis_reply element;
    lr_slice rest;
    int64_t count = 0;

    LR_CHECK(depth <= LR_REDIS_DEPTH_MAX && reply->size <= size);
    if (reply->bytes.len > 0)
        LR_CHECK(reply->bytes.bytes > begin &&
                 reply->bytes.bytes + reply->bytes.len <= begin + reply->size);
    if (reply->type == LR_REDIS_NULL)
        LR_CHECK(reply->bytes.len == 0 && reply->integer == 0);
    if (reply->type != LR_REDIS_ARRAY)
        return;
    for (rest = reply->bytes; rest.len > 0; count++) {
        const uint8_t *at = rest.bytes;
        size_t left = rest.len;

        LR_CHECK(lr_redis_element_next(&rest, &element));
        check_reply(&element, at, left, depth + 1);
    }
    LR_CHECK(count == reply->integer);
}

/* The same in pieces, each time in other memory of exactly that size. */
static lr_redis_result parse_pieces(lr_slice wire, size_t size_max, size_t step, size_t *size,
                                    const char **reason)
{
    lr_redis_parser parser = {0};
    lr_redis_result result = LR_REDIS_MORE;
    lr_redis_reply reply;

    for (size_t at = 0; result == LR_REDIS_MORE; at += step) {
        size_t have = at < wire.len ? at : wire.len;
        uint8_t *copy = malloc(have > 0 ? have : 1);

        LR_CHECK(copy != NULL);
        if (have > 0)
            memcpy(copy, wire.bytes, have);
        result = lr_redis_reply_parse(&parser, size_max, lr_slice_of(copy, have), &reply, reason);
        if (have >= size_max)
            LR_CHECK(result != LR_REDIS_MORE);
        free(copy);
        if (have == wire.len)
            break;
    }
    *size = reply.size;
    return result;
}

/* What is read from a written command is that command. */
static void check_command(lr_slice argument)
{
    lr_slice arguments[2] = {argument, argument}, rest;
    size_t size = lr_redis_command_size(arguments, 2);
    uint8_t *out = malloc(size);
    lr_redis_parser parser = {0};
    lr_redis_reply reply;
    const char *reason;

    LR_CHECK(out != NULL && lr_redis_command_write(arguments, 2, out, size) == size);
    LR_CHECK(lr_redis_reply_parse(&parser, 0, lr_slice_of(out, size), &reply, &reason) ==
             LR_REDIS_DONE);
    LR_CHECK(reply.size == size && reply.integer == 2);
    rest = reply.bytes;
    for (int i = 0; i < 2; i++) {
        LR_CHECK(lr_redis_element_next(&rest, &reply) && reply.type == LR_REDIS_BULK);
        LR_CHECK(reply.bytes.len == argument.len);
        if (argument.len > 0)
            LR_CHECK(memcmp(reply.bytes.bytes, argument.bytes, argument.len) == 0);
    }
    LR_CHECK(rest.len == 0);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lr_redis_parser parser = {0};
    const char *reason, *piece_reason;
    lr_redis_reply reply;
    lr_redis_result result;
    size_t size, size_max, step;
    lr_slice wire;

    if (len == 0 || len > 4000)
        return 0;
    size_max = bytes[0] & 0x80 ? LR_REDIS_REPLY_MAX : 8 + (bytes[0] >> 2 & 31u);
    step = 1 + (bytes[0] & 3u) * 5;
    wire = lr_slice_of(bytes + 1, len - 1);
    result = lr_redis_reply_parse(&parser, size_max, wire, &reply, &reason);
    LR_CHECK((result == LR_REDIS_REFUSED) == (reason != NULL));
    if (result == LR_REDIS_DONE) {
        LR_CHECK(reply.size <= size_max);
        check_reply(&reply, wire.bytes, wire.len, 0);
        LR_CHECK(parse_pieces(lr_slice_of(wire.bytes, reply.size), size_max, 1, &size,
                              &piece_reason) == LR_REDIS_DONE);
        LR_CHECK(size == reply.size);
    }
    LR_CHECK(parse_pieces(wire, size_max, step, &size, &piece_reason) == result);
    LR_CHECK(size == reply.size && piece_reason == reason);
    check_command(wire);
    return 0;
}
