/* SPDX-License-Identifier: MIT */
/* Fuzzes proto/http_path.h and proto/http_fields.h: no path leaves its directory, a date is written
 * as it was read, a range lies in what there is. */
#include "core/base/check.h"
#include "proto/http_fields.h"
#include "proto/http_path.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_path(lr_slice text)
{
    char out[64];
    size_t len, segment = 0;

    if (!lr_http_path(text, out, sizeof out, &len))
        return;
    LR_CHECK(len < sizeof out && strlen(out) == len);
    for (size_t i = 0; i <= len; i++) {
        if (out[i] != '/' && out[i] != '\0')
            continue;
        LR_CHECK(i > segment || i == len);
        LR_CHECK(i - segment != 1 || out[segment] != '.');
        LR_CHECK(i - segment != 2 || memcmp(out + segment, "..", 2) != 0);
        segment = i + 1;
    }
}

static void check_fields(lr_slice text)
{
    static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};
    char again[LR_HTTP_DATE_LEN + 1];
    int64_t seconds;

    if (lr_http_date_parse(text, &seconds)) {
        LR_CHECK(lr_http_date_format(seconds, again));
        LR_CHECK(memcmp(again, text.bytes, LR_HTTP_DATE_LEN) == 0);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t first, last;

        if (lr_http_range_parse(text, sizes[i], &first, &last) == LR_HTTP_RANGE_ONE)
            LR_CHECK(first <= last && last < sizes[i]);
    }
    if (lr_http_etag_is_listed(text, LR_LIT("\"a\"")))
        LR_CHECK(memchr(text.bytes, '*', text.len) != NULL || text.len >= 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1); /* of exactly that size */

    LR_CHECK(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    check_path(lr_slice_of(copy, len));
    check_fields(lr_slice_of(copy, len));
    free(copy);
    return 0;
}
