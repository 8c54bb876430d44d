/* SPDX-License-Identifier: MIT */
#include "proto/http_fields.h"

#include "proto/http_chars.h"

#include <string.h>

enum { SECONDS_OF_DAY = 86400 };

static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970 began on a Thursday */
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Year 0 to 9999, in seconds since 1970. */
#define DATE_FIRST INT64_C(-62167219200)
#define DATE_LAST INT64_C(253402300799)

/* Days since 1970 of a day of the Gregorian calendar, and back. Both count years from March, so
 * that a leap day is the last of its year, in eras of 400 years, which have 146097 days; 719468
 * days lie between the first of March of year 0 and 1970. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void date_of(int64_t count, int64_t *year, int64_t *month, int64_t *day)
{
    int64_t shifted = count + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * of_year + 2) / 153;

    *day = of_year - (153 * shifted_month + 2) / 5 + 1;
    *month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

static void put_number(char *out, int64_t value, size_t width)
{
    while (width > 0) {
        out[--width] = (char)('0' + value % 10);
        value /= 10;
    }
}

bool lr_http_date_format(int64_t seconds, char out[LR_HTTP_DATE_LEN + 1])
{
    int64_t count, second, year, month, day;

    if (seconds < DATE_FIRST || seconds > DATE_LAST)
        return false;
    second = ((seconds % SECONDS_OF_DAY) + SECONDS_OF_DAY) % SECONDS_OF_DAY;
    count = (seconds - second) / SECONDS_OF_DAY;
    date_of(count, &year, &month, &day);
    memcpy(out, "Day, 00 Mon 0000 00:00:00 GMT", LR_HTTP_DATE_LEN + 1);
    memcpy(out, days + 3 * ((count % 7 + 7) % 7), 3);
    put_number(out + 5, day, 2);
    memcpy(out + 8, months + 3 * (month - 1), 3);
    put_number(out + 12, year, 4);
    put_number(out + 17, second / 3600, 2);
    put_number(out + 20, second / 60 % 60, 2);
    put_number(out + 23, second % 60, 2);
    return true;
}

/* A byte that is no digit makes a number that does not format as it was. */
static int64_t get_number(const uint8_t *bytes, size_t width)
{
    int64_t value = 0;

    for (size_t i = 0; i < width; i++)
        value = value * 10 + (lr__http_is_digit(bytes[i]) ? bytes[i] - '0' : 0);
    return value;
}

/* Whatever is wrong in a date, the day of the week and a 31st of February included, shows when the
 * result is written again. */
bool lr_http_date_parse(lr_slice text, int64_t *seconds)
{
    char again[LR_HTTP_DATE_LEN + 1];
    const uint8_t *b = text.bytes;
    int64_t month = 0, value;

    if (text.len != LR_HTTP_DATE_LEN)
        return false;
    while (month < 12 && memcmp(b + 8, months + 3 * month, 3) != 0)
        month++;
    if (month == 12)
        return false;
    value = days_of(get_number(b + 12, 4), month + 1, get_number(b + 5, 2)) * SECONDS_OF_DAY +
            get_number(b + 17, 2) * 3600 + get_number(b + 20, 2) * 60 + get_number(b + 23, 2);
    if (!lr_http_date_format(value, again) || memcmp(again, b, LR_HTTP_DATE_LEN) != 0)
        return false;
    *seconds = value;
    return true;
}

/* The length of the entity tag at the start of text (RFC 9110 8.8.3), 0 if there is none. */
static size_t take_etag(lr_slice text)
{
    size_t at = text.len >= 2 && memcmp(text.bytes, "W/", 2) == 0 ? 2 : 0;

    if (at == text.len || text.bytes[at] != '"')
        return 0;
    for (at++; at < text.len; at++) {
        uint8_t byte = text.bytes[at];

        if (byte == '"')
            return at + 1;
        if (byte <= 0x20 || byte == 0x7f)
            return 0;
    }
    return 0;
}

static bool is_weak(lr_slice etag)
{
    return etag.len >= 2 && etag.bytes[0] == 'W';
}

static bool is_same(lr_slice a, lr_slice b)
{
    return a.len > 0 && a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
}

bool lr_http_etag_is_listed(lr_slice list, lr_slice etag)
{
    lr_slice opaque = is_weak(etag) ? lr__http_skip(etag, 2) : etag;
    bool is_listed = false;

    list = lr__http_trim(list);
    if (list.len == 1 && list.bytes[0] == '*')
        return true;
    while (list.len > 0) {
        lr_slice one;
        size_t len;

        if (list.bytes[0] == ',') { /* empty elements are skipped (RFC 9110 5.6.1.2) */
            list = lr__http_trim(lr__http_skip(list, 1));
            continue;
        }
        len = take_etag(list);
        one = lr_slice_of(list.bytes, len);
        list = lr__http_trim(lr__http_skip(list, len));
        if (len == 0 || (list.len > 0 && list.bytes[0] != ','))
            return false;
        is_listed |= is_same(is_weak(one) ? lr__http_skip(one, 2) : one, opaque);
    }
    return is_listed;
}

bool lr_http_is_not_modified(const lr_http_head *head, const lr_http_validators *current)
{
    bool has_tags = false;
    lr_slice since;
    int64_t seconds;

    for (uint32_t i = 0; i < head->header_count; i++) {
        if (!lr__http_is(head->headers[i].name, LR_LIT("if-none-match")))
            continue;
        has_tags = true;
        if (lr_http_etag_is_listed(head->headers[i].value, current->etag))
            return true;
    }
    if (has_tags)
        return false;
    since = lr_http_head_value(head, LR_LIT("if-modified-since"));
    return lr_http_date_parse(since, &seconds) && current->modified <= seconds;
}

/* Takes the digits at the start of text; above 64 bits the number is UINT64_MAX, which is beyond
 * every end. False if there are none. */
static bool take_number(lr_slice *text, uint64_t *value)
{
    bool has_digit = false;

    *value = 0;
    for (; text->len > 0 && lr__http_is_digit(text->bytes[0]); *text = lr__http_skip(*text, 1)) {
        uint64_t digit = (uint64_t)text->bytes[0] - '0';

        has_digit = true;
        *value = *value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *value * 10 + digit;
    }
    return has_digit;
}

/* RFC 9110 14.1.2: the last bytes of the representation. All of nothing is nothing, and no range of
 * bytes can say so. */
static lr_http_range take_suffix(uint64_t count, uint64_t size, uint64_t *first, uint64_t *last)
{
    if (count == 0)
        return LR_HTTP_RANGE_UNSATISFIABLE;
    if (size == 0)
        return LR_HTTP_RANGE_NONE;
    *first = count < size ? size - count : 0;
    *last = size - 1;
    return LR_HTTP_RANGE_ONE;
}

lr_http_range lr_http_range_parse(lr_slice value, uint64_t size, uint64_t *first, uint64_t *last)
{
    uint64_t from, to;
    bool has_from, has_to;

    if (value.len < 6 || !lr__http_is(lr_slice_of(value.bytes, 6), LR_LIT("bytes=")))
        return LR_HTTP_RANGE_NONE;
    value = lr__http_trim(lr__http_skip(value, 6));
    has_from = take_number(&value, &from);
    if (value.len == 0 || value.bytes[0] != '-')
        return LR_HTTP_RANGE_NONE;
    value = lr__http_skip(value, 1);
    has_to = take_number(&value, &to);
    if (value.len > 0 || (!has_from && !has_to) || (has_from && has_to && from > to))
        return LR_HTTP_RANGE_NONE;
    if (!has_from)
        return take_suffix(to, size, first, last);
    if (from >= size)
        return LR_HTTP_RANGE_UNSATISFIABLE;
    *first = from;
    *last = has_to && to < size ? to : size - 1;
    return LR_HTTP_RANGE_ONE;
}

lr_http_range lr_http_range_of(const lr_http_head *head, const lr_http_validators *current,
                               uint64_t size, uint64_t *first, uint64_t *last)
{
    lr_slice condition = lr_http_head_value(head, LR_LIT("if-range"));
    lr_slice value = lr_http_head_value(head, LR_LIT("range"));
    int64_t seconds;

    if (condition.bytes != NULL) {
        bool is_tag = is_same(condition, current->etag) && !is_weak(condition);
        bool is_date = lr_http_date_parse(condition, &seconds) && seconds == current->modified;

        if (!is_tag && !is_date)
            return LR_HTTP_RANGE_NONE;
    }
    return lr_http_range_parse(value, size, first, last);
}
