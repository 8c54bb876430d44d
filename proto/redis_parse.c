/* SPDX-License-Identifier: MIT */
#include "proto/redis_parse.h"

#include <string.h>

enum {
    NUMBER_LINE_MAX = 1 + 20 + 2, /* type, "-9223372036854775808", CRLF */
    ELEMENT_MIN = 3               /* "+\r\n" */
};

static const char too_large[] = "the reply is larger than the limit";

static lr_redis_result refuse(lr_redis_parser *parser, const char *what)
{
    parser->reason = what;
    return LR_REDIS_REFUSED;
}

static bool is_number_type(uint8_t type)
{
    return type == ':' || type == '$' || type == '*';
}

/* Exactly one way to write each number, so that two readers cannot differ. */
static bool read_number(lr_slice digits, int64_t *out)
{
    bool is_negative = digits.len > 0 && digits.bytes[0] == '-';
    uint64_t max = (uint64_t)INT64_MAX + is_negative, value = 0;
    size_t first = is_negative;

    if (digits.len == first || (digits.bytes[first] == '0' && digits.len > 1))
        return false;
    for (size_t i = first; i < digits.len; i++) {
        uint64_t digit = (uint64_t)digits.bytes[i] - '0';

        if (digits.bytes[i] < '0' || digit > 9 || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = is_negative ? -(int64_t)(value - 1) - 1 : (int64_t)value;
    return true;
}

/* Looks for the end of the line that begins at parser->at. DONE: *line is what stands between its
 * type and its CRLF. */
static lr_redis_result find_line(lr_redis_parser *parser, size_t size_max, lr_slice bytes,
                                 lr_slice *line)
{
    uint8_t type = bytes.bytes[parser->at];
    size_t cap = is_number_type(type) ? NUMBER_LINE_MAX : LR_REDIS_LINE_MAX;
    size_t i = parser->scanned > parser->at ? parser->scanned : parser->at + 1;

    for (; i < bytes.len; i++) {
        uint8_t byte = bytes.bytes[i];

        if (i >= size_max)
            return refuse(parser, too_large);
        if (i - parser->at >= cap)
            return refuse(parser, "a line is too long");
        if (byte == '\n') {
            if (bytes.bytes[i - 1] != '\r')
                return refuse(parser, "a line ends without CR");
            *line = lr_slice_of(bytes.bytes + parser->at + 1, i - parser->at - 2);
            parser->scanned = i + 1;
            return LR_REDIS_DONE;
        }
        if (bytes.bytes[i - 1] == '\r')
            return refuse(parser, "a line has a CR without LF");
    }
    parser->scanned = i;
    return LR_REDIS_MORE;
}

/* A bulk string whose first line says length; next is where it begins. */
static lr_redis_result read_bulk(lr_redis_parser *parser, size_t size_max, lr_slice bytes,
                                 int64_t length, lr_redis_reply *out)
{
    size_t begin = parser->scanned, end;

    if ((uint64_t)length > size_max || begin + (size_t)length + 2 > size_max)
        return refuse(parser, too_large);
    end = begin + (size_t)length;
    if ((bytes.len > end && bytes.bytes[end] != '\r') ||
        (bytes.len > end + 1 && bytes.bytes[end + 1] != '\n'))
        return refuse(parser, "a bulk string is longer than its length says");
    if (bytes.len < end + 2)
        return LR_REDIS_MORE;
    out->bytes = lr_slice_of(bytes.bytes + begin, (size_t)length);
    parser->scanned = end + 2;
    return LR_REDIS_DONE;
}

/* The element at parser->at; of an array only its head, whose elements follow. DONE: it ends at
 * parser->scanned. MORE leaves scanned where the line was looked for, and reads a complete line of
 * a bulk string again with the next bytes: it has at most NUMBER_LINE_MAX. */
static lr_redis_result read_element(lr_redis_parser *parser, size_t size_max, lr_slice bytes,
                                    lr_redis_reply *out)
{
    uint8_t type = bytes.bytes[parser->at];
    lr_redis_result result;
    lr_slice line;

    if (parser->at >= size_max)
        return refuse(parser, too_large);
    if (!is_number_type(type) && type != '+' && type != '-')
        return refuse(parser, "this is no reply of RESP2");
    result = find_line(parser, size_max, bytes, &line);
    if (result != LR_REDIS_DONE)
        return result;
    if (!is_number_type(type)) {
        out->type = type == '+' ? LR_REDIS_SIMPLE : LR_REDIS_ERROR;
        out->bytes = line;
        return LR_REDIS_DONE;
    }
    if (!read_number(line, &out->integer))
        return refuse(parser, "a number is none");
    if (type == ':') {
        out->type = LR_REDIS_INTEGER;
        return LR_REDIS_DONE;
    }
    if (out->integer < -1)
        return refuse(parser, "a length is negative");
    if (out->integer == -1) {
        out->type = LR_REDIS_NULL;
        out->integer = 0;
        return LR_REDIS_DONE;
    }
    out->type = type == '$' ? LR_REDIS_BULK : LR_REDIS_ARRAY;
    if (type == '*')
        return LR_REDIS_DONE;
    result = read_bulk(parser, size_max, bytes, out->integer, out);
    if (result == LR_REDIS_MORE)
        parser->scanned = parser->at;
    out->integer = 0;
    return result;
}

/* An array's head was read: its elements are to come. */
static lr_redis_result open_array(lr_redis_parser *parser, size_t size_max, int64_t count)
{
    if (count == 0)
        return LR_REDIS_DONE;
    if ((uint64_t)count > (size_max - parser->scanned) / ELEMENT_MIN || count > UINT32_MAX)
        return refuse(parser, too_large);
    if (parser->depth == LR_REDIS_DEPTH_MAX)
        return refuse(parser, "arrays are too deep");
    parser->left[parser->depth++] = (uint32_t)count;
    return LR_REDIS_MORE;
}

lr_redis_result lr_redis_reply_parse(lr_redis_parser *parser, size_t size_max, lr_slice bytes,
                                     lr_redis_reply *out, const char **reason)
{
    lr_redis_result result = parser->reason ? LR_REDIS_REFUSED : LR_REDIS_MORE;
    lr_redis_reply element;

    size_max = size_max ? size_max : LR_REDIS_REPLY_MAX;
    while (result == LR_REDIS_MORE && parser->at < bytes.len) {
        memset(&element, 0, sizeof(element));
        result = read_element(parser, size_max, bytes, &element);
        if (result != LR_REDIS_DONE)
            break;
        parser->at = parser->scanned;
        if (element.type == LR_REDIS_ARRAY)
            result = open_array(parser, size_max, element.integer);
        if (result != LR_REDIS_DONE)
            continue;
        while (parser->depth > 0 && --parser->left[parser->depth - 1] == 0)
            parser->depth--;
        if (parser->depth > 0)
            result = LR_REDIS_MORE;
    }
    if (result == LR_REDIS_MORE && bytes.len >= size_max)
        result = refuse(parser, too_large);
    memset(out, 0, sizeof(*out));
    *reason = parser->reason;
    if (result != LR_REDIS_DONE)
        return result;
    if (bytes.bytes[0] == '*' && bytes.bytes[1] != '-') {
        const uint8_t *elements = (const uint8_t *)memchr(bytes.bytes, '\n', parser->at) + 1;

        out->type = LR_REDIS_ARRAY;
        (void)read_number(lr_slice_of(bytes.bytes + 1, (size_t)(elements - bytes.bytes) - 3),
                          &out->integer);
        out->bytes = lr_slice_of(elements, parser->at - (size_t)(elements - bytes.bytes));
    } else {
        *out = element;
    }
    out->size = parser->at;
    memset(parser, 0, sizeof(*parser));
    return LR_REDIS_DONE;
}

bool lr_redis_element_next(lr_slice *rest, lr_redis_reply *out)
{
    lr_redis_parser parser = {0};
    const char *reason;

    if (lr_redis_reply_parse(&parser, rest->len + 1, *rest, out, &reason) != LR_REDIS_DONE)
        return false;
    *rest = lr_slice_of(rest->bytes + out->size, rest->len - out->size);
    return true;
}

static size_t digits_of(size_t value)
{
    size_t digits = 1;

    for (; value >= 10; value /= 10)
        digits++;
    return digits;
}

/* Type, number, CRLF. */
static size_t write_number(char type, size_t value, char *out)
{
    size_t digits = digits_of(value);

    out[0] = type;
    for (size_t i = digits; i > 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    out[digits + 1] = '\r';
    out[digits + 2] = '\n';
    return digits + 3;
}

size_t lr_redis_command_size(const lr_slice *arguments, size_t count)
{
    size_t size = digits_of(count) + 3;

    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        size_t head = digits_of(arguments[i].len) + 5; /* type and two CRLF */

        if (arguments[i].len > SIZE_MAX - head || size > SIZE_MAX - head - arguments[i].len)
            return 0;
        size += head + arguments[i].len;
    }
    return size;
}

size_t lr_redis_command_write(const lr_slice *arguments, size_t count, void *out, size_t cap)
{
    size_t size = lr_redis_command_size(arguments, count);
    char *at = out;

    if (size == 0 || size > cap)
        return 0;
    at += write_number('*', count, at);
    for (size_t i = 0; i < count; i++) {
        at += write_number('$', arguments[i].len, at);
        if (arguments[i].len > 0)
            memcpy(at, arguments[i].bytes, arguments[i].len);
        at += arguments[i].len;
        *at++ = '\r';
        *at++ = '\n';
    }
    return size;
}
