/* SPDX-License-Identifier: MIT */
/* fuzz_keys.c: files of ticket keys. What is taken is written and read again, and stays what it is;
 * what is refused leaves the list as it was. */
#include "core/base/check.h"
#include "core/tls/keys.h"
#include "core/tls/library.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const lr_ticket_keys *a, const lr_ticket_keys *b)
{
    LR_CHECK(a->count == b->count && a->has_next == b->has_next);
    for (uint32_t i = 0; i < a->count; i++)
        LR_CHECK(memcmp(a->keys[i], b->keys[i], LR_TICKET_KEY_SIZE) == 0);
}

static void write_and_read(const lr_ticket_keys *keys, lr_ticket_keys_form form)
{
    bool is_haproxy = form == LR_TICKET_KEYS_HAPROXY;
    uint8_t out[LR_TICKET_KEYS_FILE_MAX];
    lr_ticket_keys *again;
    size_t len = 0;
    lr_error err;

    if (lr_ticket_keys_export(keys, form, out, &len, &err) != LR_OK) {
        LR_CHECK(is_haproxy && !keys->has_next);
        return;
    }
    again = lr_ticket_keys_new();
    LR_CHECK(again != NULL);
    LR_CHECK(lr_ticket_keys_import(again, lr_slice_of(out, len), is_haproxy, &err) == LR_OK);
    LR_CHECK(memcmp(lr__keys_current(keys), lr__keys_current(again), LR_TICKET_KEY_SIZE) == 0);
    if (form != LR_TICKET_KEYS_RAW)
        check_same(keys, again);
    lr_ticket_keys_free(again);
}

static void import(lr_slice file, bool is_haproxy)
{
    lr_ticket_keys *keys = lr_ticket_keys_new();
    lr_error err = {0};
    lr_status status;

    LR_CHECK(keys != NULL);
    status = lr_ticket_keys_import(keys, file, is_haproxy, &err);
    if (status != LR_OK)
        LR_CHECK(keys->count == 0 && !keys->has_next && err.status == status && err.text[0]);
    for (int form = LR_TICKET_KEYS_ROLES; status == LR_OK && form <= LR_TICKET_KEYS_HAPROXY; form++)
        write_and_read(keys, (lr_ticket_keys_form)form);
    if (status == LR_OK) /* each name is there already, or it is a whole list */
        LR_CHECK(lr_ticket_keys_import(keys, file, is_haproxy, &err) != LR_OK);
    lr_ticket_keys_free(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lr_error err;

    if (lr__tls_init(&err) != LR_OK)
        abort();
    import(lr_slice_of(data, size), false);
    import(lr_slice_of(data, size), true);
    return 0;
}
