/* SPDX-License-Identifier: MIT */
#include "sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64, ID_SIZE = 32 };

static struct {
    uint8_t id[ID_SIZE];
    lr_bytes *value;
} rows[ROWS];
static size_t count;

void session_put(lr_slice id, lr_slice value)
{
    if (count == ROWS || id.len != ID_SIZE)
        abort();
    memcpy(rows[count].id, id.bytes, ID_SIZE);
    rows[count++].value = lr_bytes_new(value);
}

void session_answer(session_way way, lr_slice id, lr_resume_ask ask)
{
    lr_bytes *value = NULL;

    for (size_t i = 0; way == SESSION_KEEP && i < count; i++) {
        if (memcmp(rows[i].id, id.bytes, ID_SIZE) == 0)
            value = rows[i].value;
    }
    (void)lr_resume_answer(ask, way == SESSION_ERROR ? LR_EABORTED : LR_OK, value);
}

void session_forget(void)
{
    while (count > 0)
        lr_bytes_release(rows[--count].value);
}

bool session_set_keys(lr_workers *workers, const char *hex)
{
    uint8_t keys[LR_TICKET_KEY_SIZE + 1];
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len && i < sizeof(keys); i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        keys[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return lr_workers_set_ticket_key(workers, lr_slice_of(keys, len), NULL) == LR_OK;
}
