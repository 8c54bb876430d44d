/* SPDX-License-Identifier: MIT */
/* tools/keys_tickets.c: make, inspect, rotate and convert: files of ticket keys.
 *
 * What is secret lies in the library's lists and in blocks that are wiped; nothing of it is ever
 * printed. */
#include "tools/keys_command.h"
#include "tools/ticket_files.h"
#include "tools/whole_file.h"

#include <lockring/ticket_keys.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    FILE_MAX = 1 << 16,
    SECRET_MODE = 0600,
    BIG_KEY = 80,
    BIG_LINE = 100,
    NAME_SIZE = 16,
    NAME_MAX_SIZE = 4096
};

typedef enum form { FORM_NONE, FORM_LOCKRING, FORM_NGINX, FORM_HAPROXY } form;

static lr_status fail(lr_error *err, lr_status status, const char *file, const char *what)
{
    *err = (lr_error){.status = status, .tls_alert = -1};
    (void)snprintf(err->text, sizeof(err->text), "%.80s: %.77s", file, what);
    return status;
}

/* A message of the library, with the file in front. */
static lr_status name_file(lr_error *err, const char *file)
{
    char text[sizeof(err->text)];

    memcpy(text, err->text, sizeof(text));
    (void)snprintf(err->text, sizeof(err->text), "%.70s: %.87s", file, text);
    return err->status;
}

/* Is a line at least so long? Remarks do not count. */
static bool has_line(lr_slice file, size_t len)
{
    const char *at = (const char *)file.bytes, *end = at + file.len;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t line = stop ? (size_t)(stop - at) : (size_t)(end - at);

        if (line >= len && *at != '#')
            return true;
        at += line + 1;
    }
    return false;
}

/* Lines of base64 without roles have two orders: HAProxy's, the oldest first, and ours. */
static lr_status check_form(lr_slice file, const char *path, form from, lr_error *err)
{
    ticket_file_kind kind = ticket_file_kind_of(file);

    if (from == FORM_NGINX && kind != TICKET_FILE_RAW)
        return fail(err, LR_EKEY, path, "this is a text, and no key of nginx's");
    if (from == FORM_HAPROXY && kind != TICKET_FILE_LINES)
        return fail(err, LR_EKEY, path, "this is no list of HAProxy's, lines of base64");
    if (from == FORM_LOCKRING && file.len != 0 && kind == TICKET_FILE_LINES)
        return fail(err, LR_EKEY, path,
                    "no key in it is called current; if it is HAProxy's, convert it first");
    return LR_OK;
}

static lr_status read_keys(const char *path, form from, bool *has_big, lr_ticket_keys *keys,
                           lr_error *err)
{
    lr_slice file;
    lr_status status = whole_file_read(path, FILE_MAX, WHOLE_FILE_SECRET, &file, err);

    if (status != LR_OK)
        return status;
    *has_big = ticket_file_kind_of(file) == TICKET_FILE_RAW ? file.len == BIG_KEY
                                                            : has_line(file, BIG_LINE);
    status = check_form(file, path, from, err);
    if (status == LR_OK && lr_ticket_keys_import(keys, file, from == FORM_HAPROXY, err) != LR_OK)
        status = name_file(err, path);
    whole_file_free(file);
    return status;
}

static lr_status write_keys(const char *path, const lr_ticket_keys *keys, lr_ticket_keys_form to,
                            whole_file_way way, lr_error *err)
{
    uint8_t bytes[LR_TICKET_KEYS_FILE_MAX];
    size_t len;
    lr_status status = lr_ticket_keys_export(keys, to, bytes, &len, err);

    if (status != LR_OK)
        status = name_file(err, path);
    else
        status = whole_file_write(path, lr_slice_of(bytes, len), SECRET_MODE, way, err);
    explicit_bzero(bytes, sizeof(bytes));
    return status;
}

static whole_file_way way_of(bool force)
{
    return force ? WHOLE_FILE_REPLACE : WHOLE_FILE_NEW;
}

static int end(const keys_command *self, lr_ticket_keys *keys, lr_status status,
               const lr_error *err)
{
    lr_ticket_keys_free(keys);
    return status == LR_OK ? KEYS_EXIT_OK : keys_failed(self, err);
}

static lr_ticket_keys *new_keys(lr_error *err)
{
    lr_ticket_keys *keys = lr_ticket_keys_new();

    if (!keys)
        *err = (lr_error){.status = LR_ENOMEM, .tls_alert = -1, .text = "out of memory"};
    return keys;
}

int keys_run_make(const keys_command *self, int argc, char **argv)
{
    const char *out = NULL;
    uint32_t count = 1;
    bool force = false;
    const keys_option options[] = {
        {.name = "--out", .takes = "FILE", .text = &out, .help = "where they go, with mode 0600"},
        {.name = "--count",
         .takes = "N",
         .number = &count,
         .min = 1,
         .max = LR_TICKET_KEYS_MAX,
         .help = "1 to 16; default 1"},
        {.name = "--force", .on = &force, .help = "overwrite a file that is there"},
    };
    int verdict =
        keys_parse(self, options, sizeof(options) / sizeof(options[0]), argc, argv, NULL, 0);
    lr_status status = LR_OK;
    lr_ticket_keys *keys;
    lr_error err;

    if (verdict != KEYS_GO_ON)
        return verdict;
    if (!out)
        return keys_wrong(self, "--out FILE is needed");
    keys = new_keys(&err);
    if (!keys)
        return keys_failed(self, &err);
    for (uint32_t i = 0; status == LR_OK && i < count; i++)
        status = lr_ticket_keys_draw(keys, false, &err);
    if (status == LR_OK)
        status = write_keys(out, keys, LR_TICKET_KEYS_RAW, way_of(force), &err);
    return end(self, keys, status, &err);
}

static bool read_form(const keys_command *self, const char *name, const char *text, form *out)
{
    static const struct {
        const char *word;
        form form;
    } words[] = {{"lockring", FORM_LOCKRING}, {"nginx", FORM_NGINX}, {"haproxy", FORM_HAPROXY}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, text) == 0) {
            *out = words[i].form;
            return true;
        }
    }
    (void)keys_wrong(self, "%s: '%s' is none of lockring, nginx, haproxy", name, text);
    return false;
}

static void print_names(const lr_ticket_keys *keys)
{
    bool has_next = lr_ticket_keys_has_next(keys);
    uint8_t key[LR_TICKET_KEY_SIZE];

    for (uint32_t i = 0; lr_ticket_keys_get(keys, i, key); i++) {
        printf("%-9s", i < has_next ? "next" : i == has_next ? "current" : "previous");
        for (uint32_t byte = 0; byte < NAME_SIZE; byte++)
            printf("%02x", key[byte]);
        (void)putchar('\n');
    }
    explicit_bzero(key, sizeof(key));
}

int keys_run_inspect(const keys_command *self, int argc, char **argv)
{
    const char *file, *from_text = "lockring";
    const keys_option options[] = {
        {.name = "--from",
         .takes = "lockring|nginx|haproxy",
         .text = &from_text,
         .help = "whose file it is;\ndefault lockring"},
    };
    int verdict = keys_parse(self, options, 1, argc, argv, &file, 1);
    form from = FORM_NONE;
    lr_ticket_keys *keys;
    lr_status status;
    bool has_big;
    lr_error err;

    if (verdict != KEYS_GO_ON)
        return verdict;
    if (!read_form(self, "--from", from_text, &from))
        return KEYS_EXIT_OPTION;
    keys = new_keys(&err);
    if (!keys)
        return keys_failed(self, &err);
    status = read_keys(file, from, &has_big, keys, &err);
    if (status == LR_OK)
        print_names(keys);
    return end(self, keys, status, &err);
}

int keys_run_rotate(const keys_command *self, int argc, char **argv)
{
    uint32_t keep = 3;
    const char *file;
    const keys_option options[] = {
        {.name = "--keep",
         .takes = "N",
         .number = &keep,
         .min = 1,
         .max = LR_TICKET_KEYS_MAX - 1,
         .help = "the current one and N - 1 behind it; default 3"},
    };
    int verdict = keys_parse(self, options, 1, argc, argv, &file, 1);
    lr_ticket_keys *keys;
    lr_status status;
    bool has_big;
    lr_error err;

    if (verdict != KEYS_GO_ON)
        return verdict;
    keys = new_keys(&err);
    if (!keys)
        return keys_failed(self, &err);
    status = read_keys(file, FORM_LOCKRING, &has_big, keys, &err);
    if (status == LR_OK) {
        (void)lr_ticket_keys_advance(keys);
        lr_ticket_keys_keep(keys, keep);
        status = lr_ticket_keys_draw(keys, true, &err);
    }
    if (status == LR_OK)
        status = write_keys(file, keys, LR_TICKET_KEYS_ROLES, WHOLE_FILE_UPDATE, &err);
    return end(self, keys, status, &err);
}

/* nginx has one key in a file, and seals with that of its first directive: so the current one comes
 * first, then the next one, then the others. The name of the i-th file, and which key is in it. */
static uint32_t nginx_file(const char *path, bool has_next, uint32_t i, char name[NAME_MAX_SIZE])
{
    uint32_t next = has_next, index = i < 1 + next ? next - i : i;

    if (i == 0)
        (void)snprintf(name, NAME_MAX_SIZE, "%s", path);
    else if (index < next)
        (void)snprintf(name, NAME_MAX_SIZE, "%.4000s.next", path);
    else
        (void)snprintf(name, NAME_MAX_SIZE, "%.4000s.%u", path, index - next);
    return index;
}

static lr_status write_nginx(const char *path, const lr_ticket_keys *keys, whole_file_way way,
                             lr_error *err)
{
    bool has_next = lr_ticket_keys_has_next(keys);
    uint32_t count = lr_ticket_keys_count(keys);
    uint8_t key[LR_TICKET_KEY_SIZE];
    lr_status status = LR_OK;
    char name[NAME_MAX_SIZE];

    for (uint32_t i = 0; i < count && way == WHOLE_FILE_NEW; i++) { /* all of them, or none */
        (void)nginx_file(path, has_next, i, name);
        if (access(name, F_OK) == 0)
            return fail(err, LR_EFILE, name, "it is there already, and is not overwritten");
    }
    for (uint32_t i = 0; status == LR_OK && i < count; i++) {
        (void)lr_ticket_keys_get(keys, nginx_file(path, has_next, i, name), key);
        status = whole_file_write(name, lr_slice_of(key, sizeof(key)), SECRET_MODE, way, err);
        if (status == LR_OK)
            printf("ssl_session_ticket_key %s;\n", name);
    }
    explicit_bzero(key, sizeof(key));
    return status;
}

static lr_status write_as(form to, const char *path, const lr_ticket_keys *keys, whole_file_way way,
                          lr_error *err)
{
    switch (to) {
    case FORM_NGINX:
        return write_nginx(path, keys, way, err);
    case FORM_HAPROXY:
        if (lr_ticket_keys_count(keys) < 3)
            return fail(err, LR_EKEY, path, "HAProxy wants three keys at least: rotate first");
        return write_keys(path, keys, LR_TICKET_KEYS_HAPROXY, way, err);
    case FORM_LOCKRING:
    case FORM_NONE:
        break;
    }
    return write_keys(path, keys, LR_TICKET_KEYS_ROLES, way, err);
}

int keys_run_convert(const keys_command *self, int argc, char **argv)
{
    const char *files[2], *from_text = "", *to_text = "";
    bool force = false, has_big = false;
    const keys_option options[] = {
        {.name = "--from",
         .takes = "lockring|nginx|haproxy",
         .text = &from_text,
         .help = "whose file IN is"},
        {.name = "--to",
         .takes = "lockring|nginx|haproxy",
         .text = &to_text,
         .help = "whose file OUT shall be"},
        {.name = "--force", .on = &force, .help = "overwrite files that are there"},
    };
    int verdict =
        keys_parse(self, options, sizeof(options) / sizeof(options[0]), argc, argv, files, 2);
    form from = FORM_NONE, to = FORM_NONE;
    lr_ticket_keys *keys;
    lr_status status;
    lr_error err;

    if (verdict != KEYS_GO_ON)
        return verdict;
    if (!read_form(self, "--from", from_text, &from) || !read_form(self, "--to", to_text, &to))
        return KEYS_EXIT_OPTION;
    keys = new_keys(&err);
    if (!keys)
        return keys_failed(self, &err);
    status = read_keys(files[0], from, &has_big, keys, &err);
    if (status == LR_OK && has_big && to != FORM_LOCKRING)
        status = fail(&err, LR_EKEY, files[0],
                      "a key of 80 bytes is another one here: only --to lockring");
    if (status == LR_OK)
        status = write_as(to, files[1], keys, way_of(force), &err);
    return end(self, keys, status, &err);
}
