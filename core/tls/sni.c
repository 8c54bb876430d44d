/* SPDX-License-Identifier: MIT */
/* core/tls/sni.c: names to contexts. Linear probing at a load of at most one half; removing closes
 * the gap by moving later entries back, so there are no markers and a lookup ends at the first
 * empty slot. A name is looked up twice at most: as it is, and with "*" for its first label. */
#include "core/tls/sni.h"

#include "core/base/check.h"
#include "core/base/hostname.h"
#include "core/base/mem.h"
#include "core/base/status.h"

#include <string.h>

enum { CAP_FIRST = 16, COUNT_MAX = 1 << 24 };

/* FNV-1a: only the operator puts names in, so nobody can choose them to collide. */
static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash ^ hash >> 15;
}

/* The slot of the pattern, or the empty one where it would be. */
static uint32_t slot_of(const lr_names *names, const char *pattern)
{
    uint32_t slot = hash_of(pattern) & (names->cap - 1);

    LR_DCHECK(names->cap != 0 && names->count < names->cap);
    while (names->entries[slot].pattern && strcmp(names->entries[slot].pattern, pattern) != 0)
        slot = (slot + 1) & (names->cap - 1);
    return slot;
}

/* Into out (LR__HOSTNAME_MAX + 1 bytes). What is wrong, or null. */
static const char *canonical_pattern(const char *pattern, char *out)
{
    size_t len = strlen(pattern), at = 0, name_len;

    if (strcmp(pattern, "*") == 0) {
        memcpy(out, "*", 2);
        return NULL;
    }
    if (len > 2 && pattern[0] == '*' && pattern[1] == '.') {
        out[0] = '*';
        out[1] = '.';
        at = 2;
    } else if (strchr(pattern, '*')) {
        return "an asterisk stands for the whole first label, and only there";
    }
    if (!lr__hostname_canonical(lr_slice_of(pattern + at, len - at), out + at, &name_len))
        return "this is no host name";
    if (at + name_len > LR__HOSTNAME_MAX) /* the asterisk stands for one byte at least */
        return "no host name is as long as that";
    return NULL;
}

static bool grow(lr_names *names)
{
    lr_names grown = *names;

    grown.cap = names->cap ? names->cap * 2 : CAP_FIRST;
    grown.entries = lr__alloc_zero(grown.cap, sizeof(*grown.entries));
    if (!grown.entries)
        return false;
    for (uint32_t i = 0; i < names->cap; i++) {
        if (names->entries[i].pattern)
            grown.entries[slot_of(&grown, names->entries[i].pattern)] = names->entries[i];
    }
    lr__free(names->entries);
    *names = grown;
    return true;
}

/* The pattern is canonical. */
static lr_status put(lr_names *names, const char *pattern, lr_context *context, uint64_t added)
{
    size_t size = strlen(pattern) + 1;
    lr__name_entry *entry;

    if (names->count >= names->cap / 2 && !grow(names))
        return LR_ENOMEM;
    entry = &names->entries[slot_of(names, pattern)];
    if (entry->pattern) {
        lr_context *before = entry->context;

        entry->context = lr_context_retain(context);
        entry->added = added;
        lr_context_release(before);
        return LR_OK;
    }
    entry->pattern = lr__alloc(size);
    if (!entry->pattern)
        return LR_ENOMEM;
    memcpy(entry->pattern, pattern, size);
    entry->context = lr_context_retain(context);
    entry->added = added;
    names->count++;
    return LR_OK;
}

lr_names *lr_names_new(void)
{
    return lr__alloc_zero(1, sizeof(lr_names));
}

void lr__names_fini(lr_names *names)
{
    for (uint32_t i = 0; i < names->cap; i++) {
        if (!names->entries[i].pattern)
            continue;
        lr__free(names->entries[i].pattern);
        lr_context_release(names->entries[i].context);
    }
    lr__free(names->entries);
    *names = (lr_names){0};
}

void lr_names_free(lr_names *names)
{
    if (!names)
        return;
    lr__names_fini(names);
    lr__free(names);
}

lr_status lr_names_add(lr_names *names, const char *pattern, lr_context *context, lr_error *err)
{
    char canonical[LR__HOSTNAME_MAX + 3];
    const char *wrong;

    LR_BUG_IF(!names || !pattern || !context, LR_EINVAL);
    wrong = canonical_pattern(pattern, canonical);
    if (wrong)
        return lr__fail(err, LR_EINVAL, "name '%.80s': %s", pattern, wrong);
    if (names->count == COUNT_MAX)
        return lr__fail(err, LR_EINVAL, "name '%.80s': there are %d already", pattern, COUNT_MAX);
    if (put(names, canonical, context, names->added + 1) != LR_OK)
        return lr__fail(err, LR_ENOMEM, "name '%.80s': out of memory", pattern);
    names->added++;
    return LR_OK;
}

/* Entries behind the gap that it would hide from their lookup move back into it. */
static void close_gap(lr_names *names, uint32_t gap)
{
    uint32_t mask = names->cap - 1;

    for (uint32_t slot = (gap + 1) & mask; names->entries[slot].pattern; slot = (slot + 1) & mask) {
        uint32_t home = hash_of(names->entries[slot].pattern) & mask;

        if (((slot - home) & mask) < ((slot - gap) & mask))
            continue; /* its home lies behind the gap */
        names->entries[gap] = names->entries[slot];
        names->entries[slot] = (lr__name_entry){0};
        gap = slot;
    }
}

bool lr_names_remove(lr_names *names, const char *pattern)
{
    char canonical[LR__HOSTNAME_MAX + 3];
    lr__name_entry *entry;
    uint32_t slot;

    LR_BUG_IF(!names || !pattern, false);
    if (names->cap == 0 || canonical_pattern(pattern, canonical))
        return false;
    slot = slot_of(names, canonical);
    entry = &names->entries[slot];
    if (!entry->pattern)
        return false;
    lr__free(entry->pattern);
    lr_context_release(entry->context);
    *entry = (lr__name_entry){0};
    names->count--;
    close_gap(names, slot);
    return true;
}

uint32_t lr_names_count(const lr_names *names)
{
    LR_BUG_IF(!names, 0);
    return names->count;
}

lr_status lr__names_copy(lr_names *to, const lr_names *from)
{
    LR_DCHECK(to->count == 0 && to->cap == 0);
    for (uint32_t i = 0; i < from->cap; i++) {
        const lr__name_entry *entry = &from->entries[i];

        if (entry->pattern && put(to, entry->pattern, entry->context, entry->added) != LR_OK) {
            lr__names_fini(to);
            return LR_ENOMEM;
        }
    }
    to->added = from->added;
    to->newest_wins = from->newest_wins;
    return LR_OK;
}

void lr_names_set_newest_wins(lr_names *names, bool newest_wins)
{
    LR_CHECK(names != NULL);
    names->newest_wins = newest_wins;
}

/* An empty one if there is none. */
static const lr__name_entry *find(const lr_names *names, const char *pattern)
{
    return &names->entries[slot_of(names, pattern)];
}

lr_context *lr__names_lookup(const lr_names *names, const char *canonical)
{
    char wildcard[LR__HOSTNAME_MAX + 3];
    const char *dot = strchr(canonical, '.');
    const lr__name_entry *exact, *any;

    if (names->count == 0 || *canonical == '\0')
        return NULL;
    exact = find(names, canonical);
    if ((exact->context && !names->newest_wins) || strncmp(canonical, "xn--", 4) == 0)
        return exact->context;
    wildcard[0] = '*';
    wildcard[1] = '\0';
    if (dot)
        memcpy(wildcard + 1, dot, strlen(dot) + 1);
    any = find(names, wildcard);
    return exact->added > any->added ? exact->context : any->context;
}

lr_context *lr_names_find(const lr_names *names, lr_slice servername)
{
    char canonical[LR__HOSTNAME_MAX + 1];
    size_t len;

    LR_BUG_IF(!names || (!servername.bytes && servername.len != 0), NULL);
    if (!lr__hostname_canonical(servername, canonical, &len))
        return NULL;
    return lr__names_lookup(names, canonical);
}
