/* SPDX-License-Identifier: MIT */
/* Fuzzes core/tls/sni.c: lines that add ("+pattern"), remove ("-pattern") and look up (anything
 * else), compared with a plain list that is searched from its beginning. */
#include "core/base/check.h"
#include "core/base/hostname.h"
#include "core/tls/context.h"
#include "core/tls/sni.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 256, PATTERN_MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

typedef struct entry {
    char pattern[PATTERN_MAX]; /* canonical */
    uint32_t fake;
} entry;

static struct lr_context fakes[ENTRIES_MAX];
static entry entries[ENTRIES_MAX];
static uint32_t entry_count;

/* The asterisk of a pattern is a letter of nobody's name, so the rest is judged as one name. */
static bool plain_canonical(const char *pattern, char out[PATTERN_MAX])
{
    bool wild = pattern[0] == '*' && (pattern[1] == '.' || pattern[1] == '\0');
    const char *name = wild ? pattern + 1 + (pattern[1] == '.') : pattern;
    char canonical[LR__HOSTNAME_MAX + 1];
    size_t len;

    if (strchr(name, '*') || (wild && pattern[1] == '.' && *name == '\0'))
        return false;
    canonical[0] = '\0';
    if ((!wild || *name != '\0') &&
        !lr__hostname_canonical(lr_slice_of(name, strlen(name)), canonical, &len))
        return false;
    if (wild && strlen(canonical) + 2 > LR__HOSTNAME_MAX)
        return false;
    (void)snprintf(out, PATTERN_MAX, "%s%s", !wild ? "" : canonical[0] ? "*." : "*", canonical);
    return true;
}

static entry *plain_find(const char *canonical)
{
    for (uint32_t i = 0; i < entry_count; i++) {
        if (strcmp(entries[i].pattern, canonical) == 0)
            return &entries[i];
    }
    return NULL;
}

static bool fits(const char *pattern, const char *name)
{
    const char *rest = strchr(name, '.');

    if (pattern[0] != '*')
        return strcmp(pattern, name) == 0;
    if (memcmp(name, "xn--", strlen(name) < 4 ? strlen(name) : 4) == 0 && strlen(name) >= 4)
        return false;
    return strcmp(pattern + 1, rest ? rest : "") == 0;
}

static const lr_context *plain_lookup(lr_slice name)
{
    char canonical[LR__HOSTNAME_MAX + 1];
    const lr_context *wild = NULL;
    size_t len;

    if (!lr__hostname_canonical(name, canonical, &len))
        return NULL;
    for (uint32_t i = 0; i < entry_count; i++) {
        if (!fits(entries[i].pattern, canonical))
            continue;
        if (entries[i].pattern[0] != '*')
            return &fakes[entries[i].fake];
        wild = &fakes[entries[i].fake];
    }
    return wild;
}

static void add(lr_names *names, const char *pattern, uint32_t fake)
{
    char canonical[PATTERN_MAX];
    lr_status status = lr_names_add(names, pattern, &fakes[fake], NULL);
    entry *found;

    LR_CHECK((status == LR_OK) == plain_canonical(pattern, canonical));
    if (status != LR_OK)
        return;
    found = plain_find(canonical);
    if (!found)
        found = &entries[entry_count++];
    memcpy(found->pattern, canonical, sizeof(canonical));
    found->fake = fake;
}

static void take_away(lr_names *names, const char *pattern)
{
    char canonical[PATTERN_MAX];
    entry *found = plain_canonical(pattern, canonical) ? plain_find(canonical) : NULL;

    LR_CHECK(lr_names_remove(names, pattern) == (found != NULL));
    if (found)
        *found = entries[--entry_count];
}

static void one_line(lr_names *names, const uint8_t *bytes, size_t len, uint32_t number)
{
    char *copy = malloc(len + 1); /* of exactly that size */

    LR_CHECK(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    if (len > 0 && copy[0] == '+')
        add(names, copy + 1, number);
    else if (len > 0 && copy[0] == '-')
        take_away(names, copy + 1);
    else
        LR_CHECK(lr_names_find(names, lr_slice_of(copy, len)) ==
                 plain_lookup(lr_slice_of(copy, len)));
    LR_CHECK(lr_names_count(names) == entry_count);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lr_names *names = lr_names_new();
    lr_names copy = {0};

    LR_CHECK(names != NULL);
    entry_count = 0;
    for (uint32_t i = 0; i < ENTRIES_MAX; i++)
        atomic_init(&fakes[i].references, 1);
    for (uint32_t i = 0; i < ENTRIES_MAX && len > 0; i++) {
        const uint8_t *end = memchr(bytes, '\n', len);
        size_t line = end ? (size_t)(end - bytes) : len;

        one_line(names, bytes, line, i);
        bytes += line + (end != NULL);
        len -= line + (end != NULL);
    }
    LR_CHECK(lr__names_copy(&copy, names) == LR_OK);
    for (uint32_t i = 0; i < entry_count; i++) {
        entry *one = &entries[i];

        if (one->pattern[0] != '*')
            LR_CHECK(lr__names_lookup(&copy, one->pattern) == &fakes[one->fake]);
    }
    LR_CHECK(copy.count == entry_count);
    lr__names_fini(&copy);
    lr_names_free(names);
    for (uint32_t i = 0; i < ENTRIES_MAX; i++)
        LR_CHECK(fakes[i].references == 1);
    return 0;
}
