/* SPDX-License-Identifier: MIT */
/* Fuzzes core/base/hostname.h: what comes out is a name in its only form. */
#include "core/base/check.h"
#include "core/base/hostname.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_labels(const char *name, size_t len)
{
    size_t label = 0;

    for (size_t i = 0; i <= len; i++) {
        char c = name[i];

        if (c == '.' || c == '\0') {
            LR_CHECK(label >= 1 && label <= 63);
            LR_CHECK(name[i - 1] != '-' && name[i - label] != '-');
            label = 0;
            continue;
        }
        LR_CHECK((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_');
        label++;
    }
}

static void check_name(lr_slice name, const char *out, size_t out_len)
{
    char again[LR__HOSTNAME_MAX + 1];
    size_t again_len;

    LR_CHECK(out_len >= 1 && out_len <= LR__HOSTNAME_MAX);
    LR_CHECK(strlen(out) == out_len);
    LR_CHECK(name.len == out_len || (name.len == out_len + 1 && name.bytes[out_len] == '.'));
    for (size_t i = 0; i < out_len; i++)
        LR_CHECK((name.bytes[i] | 0x20) == (uint8_t)(out[i] | 0x20));
    check_labels(out, out_len);
    LR_CHECK(lr__hostname_canonical(lr_slice_of(out, out_len), again, &again_len));
    LR_CHECK(again_len == out_len && memcmp(again, out, out_len + 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1); /* of exactly that size */
    char out[LR__HOSTNAME_MAX + 1];
    size_t out_len;

    LR_CHECK(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    if (lr__hostname_canonical(lr_slice_of(copy, len), out, &out_len))
        check_name(lr_slice_of(copy, len), out, out_len);
    free(copy);
    return 0;
}
