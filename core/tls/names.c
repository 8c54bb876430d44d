/* SPDX-License-Identifier: MIT */
#include "core/tls/names.h"

#include "core/base/check.h"
#include "core/base/status.h"

#include <string.h>
#include <strings.h>

/* The first name of a group is its canonical one; wolf is what wolfSSL 5.9.2 calls it. */
static const struct {
    uint16_t group;
    const char *name, *wolf, *alias[3];
} groups[] = {
    {LR__GROUP_X25519MLKEM768, "X25519MLKEM768", "X25519MLKEM768", {"X25519_MLKEM768"}},
    {LR__GROUP_SECP256R1MLKEM768, "SecP256r1MLKEM768", "SecP256r1MLKEM768", {"P256_MLKEM768"}},
    {LR__GROUP_X25519, "X25519", "X25519", {"ecdh_x25519"}},
    {LR__GROUP_SECP256R1, "P-256", "SECP256R1", {"prime256v1", "secp256r1", "P256"}},
    {LR__GROUP_SECP384R1, "P-384", "SECP384R1", {"secp384r1", "P384"}},
    {LR__GROUP_SECP521R1, "P-521", "SECP521R1", {"secp521r1", "P521"}},
};

const char *lr__group_name(uint16_t group)
{
    for (size_t i = 0; i < LR_ARRAY_COUNT(groups); i++) {
        if (groups[i].group == group)
            return groups[i].name;
    }
    return "";
}

bool lr__group_is_hybrid(uint16_t group)
{
    return group == LR__GROUP_X25519MLKEM768 || group == LR__GROUP_SECP256R1MLKEM768;
}

uint16_t lr__group_of_wolf_name(const char *name)
{
    if (!name)
        return 0;
    for (size_t i = 0; i < LR_ARRAY_COUNT(groups); i++) {
        if (strcasecmp(groups[i].wolf, name) == 0)
            return groups[i].group;
    }
    return 0;
}

static bool word_is(const char *word, size_t len, const char *name)
{
    return name && strlen(name) == len && strncasecmp(word, name, len) == 0;
}

static uint16_t group_of_word(const char *word, size_t len)
{
    for (size_t i = 0; i < LR_ARRAY_COUNT(groups); i++) {
        if (word_is(word, len, groups[i].name))
            return groups[i].group;
        for (size_t j = 0; j < LR_ARRAY_COUNT(groups[i].alias); j++) {
            if (word_is(word, len, groups[i].alias[j]))
                return groups[i].group;
        }
    }
    return 0;
}

lr_status lr__groups_parse(const char *list, uint16_t *out, uint32_t *count, lr_error *err)
{
    uint32_t n = 0;

    LR_DCHECK(list != NULL);
    for (const char *word = list;; word++) {
        size_t len = strcspn(word, ":");
        uint16_t group = group_of_word(word, len);

        if (group == 0)
            return lr__fail(err, LR_EOPTION, "groups: '%.*s' is not a group known here", (int)len,
                            word);
        for (uint32_t i = 0; i < n; i++) {
            if (out[i] == group)
                return lr__fail(err, LR_EOPTION, "groups: '%.*s' is there twice", (int)len, word);
        }
        if (n == LR__GROUP_LIST_MAX)
            return lr__fail(err, LR_EOPTION, "groups: more than %d", LR__GROUP_LIST_MAX);
        out[n++] = group;
        word += len;
        if (*word == '\0')
            break;
    }
    *count = n;
    return LR_OK;
}
