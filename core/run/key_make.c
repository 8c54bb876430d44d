/* SPDX-License-Identifier: MIT */
#include "core/run/key_make.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"

#include <string.h>

/* In accept_until_ns of a set that is not published: as long as a retired key opens, from the
 * publication on. */
enum { RETIRES = 0 };

static lr__published_keys *made_new(uint32_t places)
{
    size_t size = sizeof(lr__published_keys) + places * sizeof(lr__key_pins);
    lr__published_keys *set = lr__alloc_aligned(LR__KEY_LINE, size);

    if (!set)
        return NULL;
    memset(set, 0, size);
    for (uint32_t i = 0; i < LR_TICKET_KEYS_MAX; i++)
        set->set.accept_until_ns[i] = LR__KEY_NEVER;
    set->set.keys = lr_ticket_keys_new();
    if (set->set.keys)
        return set;
    lr__free(set);
    return NULL;
}

void lr__keys_made_free(lr__published_keys *set)
{
    if (!set)
        return;
    lr_ticket_keys_free(set->set.keys); /* wipes */
    lr__free(set);
}

static lr_status out_of_memory(lr_error *err)
{
    return lr__fail(err, LR_ENOMEM, "ticket keys: out of memory");
}

lr_status lr__keys_made_drawn(uint32_t places, lr__published_keys **out, lr_error *err)
{
    lr__published_keys *set = made_new(places);
    lr_status status;

    if (!set)
        return out_of_memory(err);
    status = lr_ticket_keys_draw(set->set.keys, false, err);
    if (status == LR_OK)
        status = lr_ticket_keys_draw(set->set.keys, true, err);
    if (status == LR_OK)
        *out = set;
    else
        lr__keys_made_free(set);
    return status;
}

lr_status lr__keys_made_copy(const lr__published_keys *from, uint32_t places,
                             lr__published_keys **out, lr_error *err)
{
    const lr_ticket_keys *keys = from->set.keys;
    lr__published_keys *set = made_new(places);

    if (!set)
        return out_of_memory(err);
    memcpy(set->set.keys->keys, keys->keys, keys->count * sizeof(*keys->keys));
    memcpy(set->set.accept_until_ns, from->set.accept_until_ns,
           keys->count * sizeof(from->set.accept_until_ns[0]));
    set->set.keys->count = keys->count;
    set->set.keys->has_next = keys->has_next;
    *out = set;
    return LR_OK;
}

lr_status lr__keys_made_rotated(const lr__published_keys *before, uint32_t places,
                                lr__published_keys **out, lr_error *err)
{
    lr__published_keys *set;
    uint64_t *until;
    lr_status status;

    LR_TRY(lr__keys_made_copy(before, places, &set, err));
    LR_CHECK(lr_ticket_keys_advance(set->set.keys));
    status = lr_ticket_keys_draw(set->set.keys, true, err);
    if (status != LR_OK) {
        lr__keys_made_free(set);
        return status;
    }
    until = set->set.accept_until_ns;
    memmove(until + 1, until, (LR_TICKET_KEYS_MAX - 1) * sizeof(*until));
    until[0] = LR__KEY_NEVER;
    until[2] = RETIRES; /* behind the new next and the new current one */
    *out = set;
    return LR_OK;
}

/* Appends the key, unless it is there already or there is no room. */
static void put(lr__published_keys *set, const uint8_t *key, uint64_t until_ns)
{
    lr_ticket_keys *keys = set->set.keys;
    uint32_t rank;

    if (keys->count == LR_TICKET_KEYS_MAX || lr__keys_find(keys, key, &rank))
        return;
    memcpy(keys->keys[keys->count], key, LR_TICKET_KEY_SIZE);
    set->set.accept_until_ns[keys->count++] = until_ns;
}

static void put_list(lr__published_keys *set, const lr_ticket_keys *keys)
{
    for (uint32_t i = 0; i < keys->count; i++)
        put(set, keys->keys[i], LR__KEY_NEVER);
}

static lr_status check_names(const lr__published_keys *before, const lr_ticket_keys *keys,
                             lr_error *err)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        uint32_t rank;
        const uint8_t *known = lr__keys_find(before->set.keys, keys->keys[i], &rank);

        if (known && memcmp(known, keys->keys[i], LR_TICKET_KEY_SIZE) != 0)
            return lr__fail(err, LR_EKEY, "ticket key %u: its name is that of another key in use",
                            i + 1);
    }
    return LR_OK;
}

lr_status lr__keys_made_given(const lr__published_keys *before, const lr_ticket_keys *keys,
                              bool keep_next, uint32_t places, lr__published_keys **out,
                              lr_error *err)
{
    lr__published_keys *set;
    const lr_ticket_keys *old = before ? before->set.keys : NULL;

    if (before)
        LR_TRY(check_names(before, keys, err));
    set = made_new(places);
    if (!set)
        return out_of_memory(err);
    put_list(set, keys);
    set->set.keys->has_next = keys->has_next;
    for (uint32_t i = old ? old->has_next : 0; old && i < old->count; i++) {
        uint64_t until = before->set.accept_until_ns[i];

        put(set, old->keys[i], until == LR__KEY_NEVER ? RETIRES : until);
    }
    if (old && old->has_next && keep_next)
        put(set, old->keys[0], RETIRES);
    *out = set;
    return LR_OK;
}

lr_status lr__keys_made_accepting(const lr__published_keys *before, const lr_ticket_keys *keys,
                                  uint32_t places, lr__published_keys **out, lr_error *err)
{
    const lr_ticket_keys *old = before->set.keys;
    lr__published_keys *set = made_new(places);

    if (!set)
        return out_of_memory(err);
    put(set, lr__keys_current(keys), LR__KEY_NEVER);
    put(set, lr__keys_current(old), LR__KEY_NEVER);
    set->set.keys->has_next = true;
    put_list(set, keys);
    for (uint32_t i = 0; i < old->count; i++)
        put(set, old->keys[i], before->set.accept_until_ns[i]);
    *out = set;
    return LR_OK;
}

/* By name: names are one key's each. */
static bool find(const lr__published_keys *set, const uint8_t *name, uint32_t *at)
{
    uint32_t rank;
    const uint8_t *key = lr__keys_find(set->set.keys, name, &rank);

    if (key)
        *at = (uint32_t)(key - set->set.keys->keys[0]) / LR_TICKET_KEY_SIZE;
    return key != NULL;
}

bool lr__keys_made_accepts(const lr__published_keys *set, const uint8_t key[LR_TICKET_KEY_SIZE],
                           uint32_t *at)
{
    return find(set, key, at) && set->set.accept_until_ns[*at] == LR__KEY_NEVER;
}

static void drop_expired(lr__published_keys *set, uint64_t now_ns)
{
    lr_ticket_keys *keys = set->set.keys;
    uint64_t *until = set->set.accept_until_ns;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < keys->count; i++) {
        if (until[i] <= now_ns)
            continue;
        until[kept] = until[i];
        memmove(keys->keys[kept++], keys->keys[i], LR_TICKET_KEY_SIZE);
    }
    for (uint32_t i = kept; i < keys->count; i++) {
        until[i] = LR__KEY_NEVER;
        lr__wipe(keys->keys[i], LR_TICKET_KEY_SIZE);
    }
    keys->count = kept;
}

void lr__keys_made_finish(lr__published_keys *set, const lr__published_keys *before,
                          uint64_t now_ns, uint64_t keep_ns)
{
    for (uint32_t i = 0; i < set->set.keys->count; i++) {
        if (set->set.accept_until_ns[i] == RETIRES)
            set->set.accept_until_ns[i] = now_ns + keep_ns;
    }
    drop_expired(set, now_ns);
    for (uint32_t i = 0; i < set->set.keys->count; i++) {
        uint32_t at;

        set->since[i] = before && find(before, set->set.keys->keys[i], &at) ? before->since[at]
                                                                            : set->generation;
    }
    LR_DCHECK(lr__keys_current(set->set.keys) != NULL);
}
