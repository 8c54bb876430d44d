/* SPDX-License-Identifier: MIT */
#include "core/base/check.h"
#include "core/base/mem.h"

#include <lockring/bytes.h>

#include <stdatomic.h>
#include <string.h>

struct lr_bytes {
    _Atomic uint32_t references; /* any thread; relaxed up, acquire-release down */
    size_t len;
    uint8_t bytes[];
};

lr_bytes *lr_bytes_new(lr_slice bytes)
{
    lr_bytes *made;

    LR_BUG_IF(!bytes.bytes && bytes.len != 0, NULL);
    if (bytes.len > SIZE_MAX - sizeof(*made))
        return NULL;
    made = lr__alloc(sizeof(*made) + bytes.len);
    if (!made)
        return NULL;
    atomic_init(&made->references, 1);
    made->len = bytes.len;
    if (bytes.len != 0)
        memcpy(made->bytes, bytes.bytes, bytes.len);
    return made;
}

lr_bytes *lr_bytes_retain(lr_bytes *bytes)
{
    LR_CHECK(bytes != NULL);
    atomic_fetch_add_explicit(&bytes->references, 1, memory_order_relaxed);
    return bytes;
}

void lr_bytes_release(lr_bytes *bytes)
{
    uint32_t before;

    if (!bytes)
        return;
    before = atomic_fetch_sub_explicit(&bytes->references, 1, memory_order_acq_rel);
    LR_CHECK(before != 0);
    if (before == 1)
        lr__free_wiped(bytes, sizeof(*bytes) + bytes->len);
}

lr_slice lr_bytes_slice(const lr_bytes *bytes)
{
    return bytes ? lr_slice_of(bytes->bytes, bytes->len) : lr_slice_of(NULL, 0);
}
