/* SPDX-License-Identifier: MIT */
/* core/tls/keys_file.c: files of ticket keys: lockring's own, nginx's, HAProxy's.
 *
 * lockring's own is a text whose lines tell the role of their keys, so that it cannot be taken for
 * a list of nginx's or HAProxy's, whose order alone tells who seals:
 *
 *     # ticket keys of lockring
 *     next BASE64
 *     current BASE64
 *     previous BASE64
 *
 * in this order; next and previous may be missing. */
#include "core/tls/keys.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/wolf.h"

#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include <string.h>

enum { BIG_KEY = 80, BASE64_KEY = 64 /* characters of 48 bytes */ };

/* What the lines before this one were. */
typedef enum stage { NOTHING, PLAIN, NEXT, CURRENT, PREVIOUS } stage;

/* nginx's keys of 80 bytes: 16 of name, 32 of HMAC, 32 of AES. HKDF folds the 64 into our 32. */
static bool fold(const uint8_t from[BIG_KEY], uint8_t out[LR_TICKET_KEY_SIZE])
{
    static const char info[] = "lockring ticket key of 80 bytes";

    memcpy(out, from, LR__KEY_NAME);
    return wc_HKDF(WC_SHA256, from + LR__KEY_NAME, BIG_KEY - LR__KEY_NAME, from, LR__KEY_NAME,
                   (const uint8_t *)info, sizeof(info) - 1, out + LR__KEY_NAME,
                   LR_TICKET_KEY_SIZE - LR__KEY_NAME) == 0;
}

/* One key of either size. */
static lr_status append_any(lr_ticket_keys *keys, const uint8_t *bytes, size_t len,
                            const char *where, uint32_t rank, lr_error *err)
{
    uint8_t key[LR_TICKET_KEY_SIZE];
    const char *weak;
    lr_status status;

    if (len == LR_TICKET_KEY_SIZE)
        return lr__keys_append(keys, bytes, where, rank, err);
    if (len != BIG_KEY)
        return lr__fail(err, LR_EKEY, "ticket %s %u: %zu bytes, it must have 48 or 80", where, rank,
                        len);
    weak = lr__keys_weakness(bytes, BIG_KEY); /* folded, any material looks good */
    if (weak)
        return lr__fail(err, LR_EKEY, "ticket %s %u: %s", where, rank, weak);
    if (!fold(bytes, key))
        return lr__fail(err, LR_ENOMEM, "ticket %s %u: out of memory", where, rank);
    status = lr__keys_append(keys, key, where, rank, err);
    lr__wipe(key, sizeof(key));
    return status;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static lr_slice trim(lr_slice line)
{
    while (line.len > 0 && is_blank(line.bytes[0]))
        line = lr_slice_of(line.bytes + 1, line.len - 1);
    while (line.len > 0 && is_blank(line.bytes[line.len - 1]))
        line.len--;
    return line;
}

/* The role that a line begins with, which is cut off; PLAIN: none. */
static stage role_of(lr_slice *line)
{
    static const struct {
        const char *word;
        stage role;
    } roles[] = {{"next", NEXT}, {"current", CURRENT}, {"previous", PREVIOUS}};
    size_t len = 0;

    while (len < line->len && !is_blank(line->bytes[len]))
        len++;
    for (size_t i = 0; len < line->len && i < LR_ARRAY_COUNT(roles); i++) {
        if (len != strlen(roles[i].word) || memcmp(line->bytes, roles[i].word, len) != 0)
            continue;
        *line = trim(lr_slice_of(line->bytes + len, line->len - len));
        return roles[i].role;
    }
    return PLAIN;
}

/* next, current, previous ..., or lines without a role. */
static bool may_follow(stage before, stage role)
{
    switch (role) {
    case PLAIN:
        return before == NOTHING || before == PLAIN;
    case NEXT:
        return before == NOTHING;
    case CURRENT:
        return before == NOTHING || before == NEXT;
    case PREVIOUS:
        return before == CURRENT || before == PREVIOUS;
    case NOTHING:
        break;
    }
    LR_UNREACHABLE();
}

static lr_status import_line(lr_ticket_keys *keys, lr_slice line, uint32_t number, stage *last,
                             lr_error *err)
{
    stage role = role_of(&line);
    uint8_t bytes[BIG_KEY + 8];
    word32 size = sizeof(bytes);
    lr_status status;

    if (!may_follow(*last, role))
        return lr__fail(err, LR_EKEY,
                        "ticket key on line %u: the order is next, current, previous, or no such "
                        "word on any line",
                        number);
    if (line.len > 4 * sizeof(bytes) / 3 ||
        Base64_Decode(line.bytes, (word32)line.len, bytes, &size) != 0) {
        lr__wipe(bytes, sizeof(bytes));
        return lr__fail(err, LR_EKEY, "ticket key on line %u: this is no base64 of 48 or 80 bytes",
                        number);
    }
    status = append_any(keys, bytes, size, "key on line", number, err);
    lr__wipe(bytes, sizeof(bytes));
    keys->has_next |= role == NEXT;
    *last = role;
    return status;
}

static lr_status import_lines(lr_ticket_keys *keys, lr_slice file, stage *last, lr_error *err)
{
    uint32_t number = 0;

    while (file.len > 0) {
        const uint8_t *end = memchr(file.bytes, '\n', file.len);
        size_t len = end ? (size_t)(end - file.bytes) : file.len;
        lr_slice line = trim(lr_slice_of(file.bytes, len));

        number++;
        if (line.len != 0 && line.bytes[0] != '#')
            LR_TRY(import_line(keys, line, number, last, err));
        len += end ? 1 : 0;
        file = lr_slice_of(file.bytes + len, file.len - len);
    }
    if (*last == NEXT)
        return lr__fail(err, LR_EKEY, "ticket keys: the file has no current key");
    return LR_OK;
}

static lr_status import_raw(lr_ticket_keys *keys, lr_slice file, lr_error *err)
{
    if (file.len == BIG_KEY)
        return append_any(keys, file.bytes, file.len, "key", keys->count + 1, err);
    if (file.len == 0 || file.len % LR_TICKET_KEY_SIZE != 0)
        return lr__fail(err, LR_EKEY, "ticket keys: %zu bytes are no keys of 48 bytes, nor base64",
                        file.len);
    for (size_t at = 0; at < file.len; at += LR_TICKET_KEY_SIZE)
        LR_TRY(lr__keys_append(keys, file.bytes + at, "key", keys->count + 1, err));
    return LR_OK;
}

/* Only printable characters: 48 random bytes are that once in 10 to the power of 20. */
static bool is_text(lr_slice file)
{
    for (size_t i = 0; i < file.len; i++) {
        if (file.bytes[i] != '\n' && !is_blank(file.bytes[i]) &&
            (file.bytes[i] < ' ' || file.bytes[i] > 126))
            return false;
    }
    return file.len != 0;
}

/* HAProxy's order is the oldest first; its last line but one seals. */
static void from_haproxy(lr_ticket_keys *keys)
{
    for (uint32_t i = 0, j = keys->count - 1; i < j; i++, j--) {
        uint8_t key[LR_TICKET_KEY_SIZE];

        memcpy(key, keys->keys[i], sizeof(key));
        memcpy(keys->keys[i], keys->keys[j], sizeof(key));
        memcpy(keys->keys[j], key, sizeof(key));
        lr__wipe(key, sizeof(key));
    }
    keys->has_next = keys->count > 1;
}

/* A whole list cannot be appended to another one. */
static lr_status check_whole(const lr_ticket_keys *keys, stage last, bool is_haproxy, lr_error *err)
{
    bool has_roles = last > PLAIN;

    if (is_haproxy && has_roles)
        return lr__fail(err, LR_EKEY, "ticket keys: this is lockring's own list, not HAProxy's");
    if (has_roles && keys->count != 0)
        return lr__fail(err, LR_EINVAL, "ticket keys: a file with roles is a whole list");
    return LR_OK;
}

/* Does what was read fit behind what is there? */
static lr_status check_joined(const lr_ticket_keys *keys, const lr_ticket_keys *read, lr_error *err)
{
    uint32_t index;

    if (read->count == 0)
        return lr__fail(err, LR_EKEY, "ticket keys: the file has none");
    if (keys->count + read->count > LR_TICKET_KEYS_MAX)
        return lr__fail(err, LR_EINVAL, "ticket keys: there may be %d", LR_TICKET_KEYS_MAX);
    for (uint32_t i = 0; i < keys->count; i++) {
        if (lr__keys_find(read, keys->keys[i], &index))
            return lr__fail(err, LR_EKEY, "ticket key %u: its name is in the file again", i + 1);
    }
    return LR_OK;
}

lr_status lr_ticket_keys_import(lr_ticket_keys *keys, lr_slice file, bool is_haproxy, lr_error *err)
{
    lr_ticket_keys *read;
    stage last = NOTHING;
    lr_status status;

    LR_BUG_IF(!keys || (!file.bytes && file.len != 0), LR_EINVAL);
    if (is_haproxy && keys->count != 0)
        return lr__fail(err, LR_EINVAL, "ticket keys: a file of HAProxy's is a whole list");
    read = lr_ticket_keys_new();
    if (!read)
        return lr__fail(err, LR_ENOMEM, "ticket keys: out of memory");
    status = is_text(file) ? import_lines(read, file, &last, err) : import_raw(read, file, err);
    if (status == LR_OK)
        status = check_whole(keys, last, is_haproxy, err);
    if (status == LR_OK)
        status = check_joined(keys, read, err);
    if (status == LR_OK) {
        memcpy(keys->keys[keys->count], read->keys, read->count * sizeof(*read->keys));
        keys->has_next |= read->has_next;
        keys->count += read->count;
        if (is_haproxy)
            from_haproxy(keys);
    }
    lr_ticket_keys_free(read);
    return status;
}

/* What is being written; room for all of it is there, LR_TICKET_KEYS_FILE_MAX. */
typedef struct writer {
    uint8_t *out;
    size_t len;
} writer;

static void write_bytes(writer *to, const void *bytes, size_t len)
{
    LR_CHECK(to->len + len <= LR_TICKET_KEYS_FILE_MAX);
    memcpy(to->out + to->len, bytes, len);
    to->len += len;
}

/* A line of base64 behind a word. */
static void write_line(writer *to, const char *word, const uint8_t key[LR_TICKET_KEY_SIZE])
{
    uint8_t text[BASE64_KEY + 1]; /* with wolfSSL's terminating zero */
    word32 size = sizeof(text);

    LR_CHECK(Base64_Encode_NoNl(key, LR_TICKET_KEY_SIZE, text, &size) == 0 && size == BASE64_KEY);
    write_bytes(to, word, strlen(word));
    write_bytes(to, text, BASE64_KEY);
    write_bytes(to, "\n", 1);
    lr__wipe(text, sizeof(text));
}

static void export_roles(const lr_ticket_keys *keys, writer *to)
{
    static const char head[] = "# ticket keys of lockring; rotate: lockring-keys rotate\n";

    write_bytes(to, head, sizeof(head) - 1);
    for (uint32_t i = 0; i < keys->count; i++)
        write_line(to,
                   i < keys->has_next    ? "next "
                   : i == keys->has_next ? "current "
                                         : "previous ",
                   keys->keys[i]);
}

/* The first one seals: the next one goes behind it, where it opens as it should. */
static void export_raw(const lr_ticket_keys *keys, writer *to)
{
    write_bytes(to, keys->keys[keys->has_next], LR_TICKET_KEY_SIZE);
    for (uint32_t i = 0; i < keys->count; i++) {
        if (i != keys->has_next)
            write_bytes(to, keys->keys[i], LR_TICKET_KEY_SIZE);
    }
}

lr_status lr_ticket_keys_export(const lr_ticket_keys *keys, lr_ticket_keys_form form,
                                uint8_t out[LR_TICKET_KEYS_FILE_MAX], size_t *len, lr_error *err)
{
    writer to = {out, 0};

    LR_BUG_IF(!keys || !out || !len, LR_EINVAL);
    if (keys->count <= keys->has_next)
        return lr__fail(err, LR_EKEY, "ticket keys: there is none to be written");
    switch (form) {
    case LR_TICKET_KEYS_ROLES:
        export_roles(keys, &to);
        break;
    case LR_TICKET_KEYS_RAW:
        export_raw(keys, &to);
        break;
    case LR_TICKET_KEYS_HAPROXY:
        if (!keys->has_next)
            return lr__fail(err, LR_EKEY,
                            "ticket keys: HAProxy takes the last line for the next key, and there "
                            "is none");
        for (uint32_t i = keys->count; i-- > 0;)
            write_line(&to, "", keys->keys[i]);
        break;
    default:
        return lr__fail(err, LR_EOPTION, "ticket keys: there is no form %d", (int)form);
    }
    *len = to.len;
    return LR_OK;
}
