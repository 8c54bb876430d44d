/* SPDX-License-Identifier: MIT */
/* core/tls/suites.c: the table of suites, and OpenSSL's grammar of lists.
 *
 * A list is a program over two rows: the suites that are in, in their order, and those that are
 * out. A word brings suites in at the end; '-' takes them out, '!' for good, '+' moves them to the
 * end. Words that select suites which nobody should want (RC4, MD5, EXPORT, static RSA) are known
 * with nothing behind them, so that lists which exclude them are taken as they are. */
#include "core/tls/suites.h"

#include "core/base/check.h"
#include "core/base/status.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* What a suite is made of; a word of a list selects by these. */
enum {
    KX_ECDHE = 1 << 0,
    KX_DHE = 1 << 1,
    AUTH_RSA = 1 << 2,
    AUTH_ECDSA = 1 << 3, /* and EdDSA */
    AES_128 = 1 << 4,
    AES_256 = 1 << 5,
    CHACHA = 1 << 6,
    V_1_3 = 1 << 7
};

/* In the order of the server's default list. Where openssl is null, OpenSSL's name is IANA's. */
static const struct {
    uint16_t suite, made_of;
    const char *name, *openssl, *wolf;
} suites[] = {
    {0x1301, V_1_3 | AES_128, "TLS_AES_128_GCM_SHA256", NULL, "TLS13-AES128-GCM-SHA256"},
    {0x1302, V_1_3 | AES_256, "TLS_AES_256_GCM_SHA384", NULL, "TLS13-AES256-GCM-SHA384"},
    {0x1303, V_1_3 | CHACHA, "TLS_CHACHA20_POLY1305_SHA256", NULL,
     "TLS13-CHACHA20-POLY1305-SHA256"},
    {0xc02b, KX_ECDHE | AUTH_ECDSA | AES_128, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
     "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {0xc02f, KX_ECDHE | AUTH_RSA | AES_128, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
     "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {0xc02c, KX_ECDHE | AUTH_ECDSA | AES_256, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
     "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {0xc030, KX_ECDHE | AUTH_RSA | AES_256, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
     "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {0xcca9, KX_ECDHE | AUTH_ECDSA | CHACHA, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
     "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {0xcca8, KX_ECDHE | AUTH_RSA | CHACHA, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
     "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"},
    {0x009e, KX_DHE | AUTH_RSA | AES_128, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
     "DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"},
    {0x009f, KX_DHE | AUTH_RSA | AES_256, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
     "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384"},
    {0xccaa, KX_DHE | AUTH_RSA | CHACHA, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
     "DHE-RSA-CHACHA20-POLY1305", "DHE-RSA-CHACHA20-POLY1305"},
};
enum { SUITES = LR_ARRAY_COUNT(suites) };
static_assert(LR_ARRAY_COUNT(suites) <= LR__SUITE_LIST_MAX, "a list may name them all");
static_assert(LR_ARRAY_COUNT(suites) * 32 <= LR__SUITE_TEXT_MAX, "each name and its colon");

/* The words of OpenSSL 1.0 to 3.x that select more than one suite (ciphers(1)); those of TLS 1.2
 * that have every part of made_of, or none at all. */
static const struct {
    const char *word;
    uint16_t made_of;
    bool none;
} groups[] = {
    {"ALL", 0, false},
    {"HIGH", 0, false},
    {"DEFAULT", 0, false},
    {"TLSv1.2", 0, false},
    {"ECDHE", KX_ECDHE, false},
    {"EECDH", KX_ECDHE, false},
    {"kECDHE", KX_ECDHE, false},
    {"kEECDH", KX_ECDHE, false},
    {"ECDH", KX_ECDHE, false},
    {"DHE", KX_DHE, false},
    {"EDH", KX_DHE, false},
    {"kDHE", KX_DHE, false},
    {"kEDH", KX_DHE, false},
    {"DH", KX_DHE, false},
    {"aRSA", AUTH_RSA, false},
    {"ECDSA", AUTH_ECDSA, false},
    {"aECDSA", AUTH_ECDSA, false},
    {"AES128", AES_128, false},
    {"AES256", AES_256, false},
    {"CHACHA20", CHACHA, false},
    {"COMPLEMENTOFALL", 0, true},
    {"COMPLEMENTOFDEFAULT", 0, true},
    {"MEDIUM", 0, true},
    {"LOW", 0, true},
    {"RSA", 0, true}, /* without forward secrecy */
    {"kRSA", 0, true},
    {"aNULL", 0, true},
    {"eNULL", 0, true},
    {"NULL", 0, true},
    {"ADH", 0, true},
    {"AECDH", 0, true},
    {"DSS", 0, true},
    {"aDSS", 0, true},
    {"aDH", 0, true},
    {"aECDH", 0, true},
    {"kDH", 0, true},
    {"kDHd", 0, true},
    {"kDHr", 0, true},
    {"kECDH", 0, true},
    {"kECDHe", 0, true},
    {"kECDHr", 0, true},
    {"EXP", 0, true},
    {"EXPORT", 0, true},
    {"EXPORT40", 0, true},
    {"EXPORT56", 0, true},
    {"DES", 0, true},
    {"3DES", 0, true},
    {"RC2", 0, true},
    {"RC4", 0, true},
    {"IDEA", 0, true},
    {"SEED", 0, true},
    {"MD5", 0, true},
    {"SHA", 0, true}, /* these three are of suites with CBC */
    {"SHA1", 0, true},
    {"SHA256", 0, true},
    {"SHA384", 0, true},
    {"SSLv2", 0, true},
    {"SSLv3", 0, true},
    {"TLSv1", 0, true},
    {"TLSv1.0", 0, true},
    {"PSK", 0, true},
    {"kPSK", 0, true},
    {"aPSK", 0, true},
    {"kRSAPSK", 0, true},
    {"kDHEPSK", 0, true},
    {"kECDHEPSK", 0, true},
    {"SRP", 0, true},
    {"kSRP", 0, true},
    {"aSRP", 0, true},
    {"CAMELLIA", 0, true},
    {"CAMELLIA128", 0, true},
    {"CAMELLIA256", 0, true},
    {"ARIA", 0, true},
    {"ARIA128", 0, true},
    {"ARIA256", 0, true},
    {"ARIAGCM", 0, true},
    {"AESCCM", 0, true},
    {"AESCCM8", 0, true},
    {"CBC", 0, true},
    {"GOST94", 0, true},
    {"GOST89", 0, true},
    {"GOST89MAC", 0, true},
    {"kGOST", 0, true},
    {"aGOST", 0, true},
    {"aGOST01", 0, true},
    {"KRB5", 0, true},
    {"kKRB5", 0, true},
    {"aKRB5", 0, true},
};

/* What the names of suites that are not built here are made of, as in ECDHE-RSA-AES128-SHA. */
static const char *const parts[] = {
    "ECDHE",    "DHE",    "ECDH",        "EDH",         "ADH",    "AECDH",    "RSA",     "ECDSA",
    "DSS",      "PSK",    "SRP",         "AES128",      "AES256", "DES",      "CBC",     "CBC3",
    "SHA",      "SHA256", "SHA384",      "MD5",         "RC4",    "RC2",      "SEED",    "IDEA",
    "NULL",     "EXP",    "GCM",         "CCM",         "CCM8",   "ARIA128",  "DH",      "ARIA256",
    "3DES",     "KRB5",   "CAMELLIA128", "CAMELLIA256", "AES",    "CHACHA20", "EXP1024", "POLY1305",
    "GOST2001", "GOST89", "GOST94",      "40",          "56",     "DES40",    "ARIA"};

/* SUITES: unknown. */
static size_t find_suite(uint16_t suite)
{
    size_t i = 0;

    while (i < SUITES && suites[i].suite != suite)
        i++;
    return i;
}

const char *lr__suite_name(uint16_t suite)
{
    size_t i = find_suite(suite);

    return i < SUITES ? suites[i].name : "";
}

lr_tls_version lr__suite_version(uint16_t suite)
{
    size_t i = find_suite(suite);

    if (i == SUITES)
        return LR_TLS_DEFAULT;
    return suites[i].made_of & V_1_3 ? LR_TLS_1_3 : LR_TLS_1_2;
}

bool lr__suite_is_chacha(uint16_t suite)
{
    size_t i = find_suite(suite);

    return i < SUITES && (suites[i].made_of & CHACHA) != 0;
}

bool lr__suite_is_dhe(uint16_t suite)
{
    size_t i = find_suite(suite);

    return i < SUITES && (suites[i].made_of & KX_DHE) != 0;
}

bool lr__suite_fits_key(uint16_t suite, lr__key_kind kind)
{
    size_t i = find_suite(suite);

    if (i == SUITES)
        return false;
    return (suites[i].made_of & V_1_3) || kind == LR__KEY_OTHER ||
           ((suites[i].made_of & AUTH_RSA) != 0) == (kind == LR__KEY_RSA);
}

const char *const *lr_ciphers(void)
{
    static const char *const names[SUITES + 1] = {
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    };

    return names;
}

/* Lists. */

typedef struct list {
    const lr__suite_rules *rules;
    uint8_t in[SUITES]; /* indices of the table */
    uint32_t count;
    bool dead[SUITES];
    bool named_1_3; /* a suite of TLS 1.3 was brought in by name */
} list;

static bool word_is(const char *word, size_t len, const char *name)
{
    return name && strlen(name) == len && strncasecmp(word, name, len) == 0;
}

static bool is_in(const list *l, size_t suite)
{
    return memchr(l->in, (int)suite, l->count) != NULL;
}

/* Takes those that are selected out of the row; how many stay. The others follow at rest. */
static uint32_t part_row(list *l, const bool *selected, uint8_t *rest)
{
    uint32_t kept = 0, gone = 0;

    for (uint32_t i = 0; i < l->count; i++) {
        if (selected[l->in[i]])
            rest[gone++] = l->in[i];
        else
            l->in[kept++] = l->in[i];
    }
    l->count = kept;
    return gone;
}

static void apply(list *l, char operation, const bool *selected)
{
    uint8_t rest[SUITES];
    uint32_t gone;

    if (operation == 0) {
        for (size_t i = 0; i < SUITES; i++) {
            if (selected[i] && !l->dead[i] && !is_in(l, i))
                l->in[l->count++] = (uint8_t)i;
        }
        return;
    }
    gone = part_row(l, selected, rest);
    if (operation == '+') {
        memcpy(l->in + l->count, rest, gone);
        l->count += gone;
    }
    for (size_t i = 0; operation == '!' && i < SUITES; i++)
        l->dead[i] |= selected[i];
}

static bool is_missing_suite(const char *word, size_t len)
{
    bool several = false;

    if (len > 4 && strncasecmp(word, "TLS_", 4) == 0)
        return memmem(word, len, "_WITH_", 6) != NULL;
    while (len > 0) {
        size_t part = 0;
        bool known = false;

        while (part < len && word[part] != '-')
            part++;
        for (size_t i = 0; i < LR_ARRAY_COUNT(parts) && !known; i++)
            known = word_is(word, part, parts[i]);
        if (!known)
            return false;
        if (part == len)
            return several;
        several = true;
        word += part + 1;
        len -= part + 1;
    }
    return false;
}

typedef enum meaning { UNKNOWN, NOTHING_HERE, SELECTS } meaning;

/* Leaves those of *selected that the simple word selects. */
static meaning select_simple(const char *word, size_t len, bool *selected)
{
    bool aes =
        word_is(word, len, "AES") || word_is(word, len, "AESGCM") || word_is(word, len, "FIPS");
    meaning found = UNKNOWN;

    for (size_t i = 0; i < SUITES; i++) {
        if (word_is(word, len, suites[i].name) || word_is(word, len, suites[i].openssl)) {
            for (size_t j = 0; j < SUITES; j++)
                selected[j] &= i == j;
            return SELECTS;
        }
    }
    for (size_t i = 0; i < LR_ARRAY_COUNT(groups) && found == UNKNOWN; i++) {
        if (!word_is(word, len, groups[i].word))
            continue;
        found = groups[i].none ? NOTHING_HERE : SELECTS;
        for (size_t j = 0; j < SUITES; j++)
            selected[j] &= !groups[i].none && !(suites[j].made_of & V_1_3) &&
                           (suites[j].made_of & groups[i].made_of) == groups[i].made_of;
    }
    if (found == UNKNOWN && aes)
        found = SELECTS;
    else if (found == UNKNOWN && is_missing_suite(word, len))
        found = NOTHING_HERE;
    for (size_t j = 0; j < SUITES; j++) {
        if (found == NOTHING_HERE || (aes && (suites[j].made_of & (AES_128 | AES_256)) == 0) ||
            (aes && (suites[j].made_of & V_1_3)))
            selected[j] = false;
    }
    return found;
}

/* Words that are joined by '+' select what all of them do. */
static meaning select_joined(const char *word, size_t len, bool *selected)
{
    meaning all = SELECTS;

    for (size_t i = 0; i < SUITES; i++)
        selected[i] = true;
    for (;;) {
        size_t part = 0;
        meaning one;

        while (part < len && word[part] != '+')
            part++;
        one = select_simple(word, part, selected);
        all = one < all ? one : all;
        if (part == len)
            return all;
        word += part + 1;
        len -= part + 1;
    }
}

/* The strongest first, else in the order they were. */
static void sort_by_strength(list *l)
{
    bool weaker[SUITES];

    for (size_t i = 0; i < SUITES; i++)
        weaker[i] = (suites[i].made_of & AES_128) != 0;
    apply(l, '+', weaker);
}

static lr_status apply_command(list *l, const char *word, size_t len, lr_error *err)
{
    static const char level[] = "@SECLEVEL=";
    bool weaker[SUITES];

    if (word_is(word, len, "@STRENGTH")) {
        sort_by_strength(l);
        return LR_OK;
    }
    /* ssl(3), SSL_CTX_set_security_level: 4 asks for 192 bits. Below it all that is here will do.
     */
    if (len == sizeof(level) && strncasecmp(word, level, len - 1) == 0 && word[len - 1] >= '0' &&
        word[len - 1] <= '5') {
        for (size_t i = 0; i < SUITES; i++)
            weaker[i] = word[len - 1] >= '4' && (suites[i].made_of & AES_128);
        apply(l, '!', weaker);
        return LR_OK;
    }
    return lr__fail(err, LR_EOPTION, "%s: '%.*s' is not a command known here", l->rules->name,
                    (int)len, word);
}

static lr_status apply_word(list *l, const char *word, size_t len, lr_error *err)
{
    char operation = 0;
    bool selected[SUITES];
    meaning found;

    if (*word == '@')
        return apply_command(l, word, len, err);
    if (*word == '!' || *word == '-' || *word == '+')
        operation = *word;
    found = select_joined(word + (operation != 0), len - (operation != 0), selected);
    if (found == UNKNOWN)
        return lr__fail(err, LR_EOPTION, "%s: '%.*s' is not a suite known here", l->rules->name,
                        (int)len, word);
    if (found == NOTHING_HERE && operation == 0 && !l->rules->lenient)
        return lr__fail(err, LR_EOPTION,
                        "%s: '%.*s': no such suite is built here (AEAD with forward secrecy only)",
                        l->rules->name, (int)len, word);
    apply(l, operation, selected);
    for (size_t i = 0; operation == 0 && i < SUITES; i++)
        l->named_1_3 |= selected[i] && (suites[i].made_of & V_1_3);
    return LR_OK;
}

/* Suites of TLS 1.3 first: no list chooses between versions. */
static void write_out(const list *l, uint16_t *out, uint32_t *count)
{
    *count = 0;
    for (size_t i = 0; i < SUITES && !l->named_1_3; i++) {
        if ((suites[i].made_of & V_1_3) && !l->dead[i])
            out[(*count)++] = suites[i].suite;
    }
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < l->count; i++) {
            uint16_t made_of = suites[l->in[i]].made_of;

            if (((made_of & V_1_3) != 0) == (turn == 0) && (l->rules->dhe || !(made_of & KX_DHE)))
                out[(*count)++] = suites[l->in[i]].suite;
        }
    }
}

lr_status lr__suites_parse(const char *text, const lr__suite_rules *rules, uint16_t *out,
                           uint32_t *count, lr_error *err)
{
    static const char between[] = ": ,;";
    list l = {.rules = rules};

    LR_DCHECK(out && count);
    if (!text)
        text = "DEFAULT";
    for (const char *word = text + strspn(text, between); *word != '\0';) {
        size_t len = strcspn(word, between);

        LR_TRY(apply_word(&l, word, len, err));
        word += len;
        word += strspn(word, between);
    }
    write_out(&l, out, count);
    if (l.count == 0)
        return lr__fail(err, LR_EOPTION, "%s: '%.60s' selects no suite", rules->name, text);
    return LR_OK;
}

void lr__suites_write(const uint16_t *numbers, uint32_t count, bool chacha_first, char *out)
{
    size_t used = 0;

    LR_DCHECK(count <= SUITES);
    for (int turn = chacha_first ? 0 : 1; turn < 2; turn++) {
        for (uint32_t i = 0; i < count; i++) {
            size_t at = find_suite(numbers[i]), len;

            LR_DCHECK(at < SUITES);
            if (chacha_first && ((suites[at].made_of & CHACHA) != 0) != (turn == 0))
                continue;
            len = strlen(suites[at].wolf);
            LR_CHECK(used + len + 1 <= LR__SUITE_TEXT_MAX);
            memcpy(out + used, suites[at].wolf, len);
            out[used + len] = ':';
            used += len + 1;
        }
    }
    LR_CHECK(used > 0);
    out[used - 1] = '\0';
}
