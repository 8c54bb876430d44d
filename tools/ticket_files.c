/* SPDX-License-Identifier: MIT */
#include "tools/ticket_files.h"

#include "tools/whole_file.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 1 << 16 };

static lr_status fail(lr_error *err, lr_status status, const char *path, const char *what)
{
    char text[sizeof(err->text)];

    (void)snprintf(text, sizeof(text), "%.87s", what); /* it may be that of err */
    *err = (lr_error){.status = status, .tls_alert = -1};
    (void)snprintf(err->text, sizeof(err->text), "%.70s: %.87s", path, text);
    return status;
}

/* A line that begins with the role that none of ours is without. */
static bool has_current(const char *at, const char *end)
{
    static const char word[] = "current";

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t line = stop ? (size_t)(stop - at) : (size_t)(end - at);

        if (line >= sizeof(word) && memcmp(at, word, sizeof(word) - 1) == 0)
            return true;
        at += line + 1;
    }
    return false;
}

ticket_file_kind ticket_file_kind_of(lr_slice file)
{
    const char *text = (const char *)file.bytes;

    for (size_t i = 0; i < file.len; i++) {
        if ((file.bytes[i] < ' ' && !memchr("\t\r\n", file.bytes[i], 3)) || file.bytes[i] > 126)
            return TICKET_FILE_RAW;
    }
    return has_current(text, text + file.len) ? TICKET_FILE_ROLES : TICKET_FILE_LINES;
}

/* Lines without roles have two orders, and in the wrong one the oldest key would seal. */
static lr_status check_kind(lr_slice file, bool is_haproxy, const char *path, lr_error *err)
{
    ticket_file_kind kind = ticket_file_kind_of(file);

    if (is_haproxy && kind != TICKET_FILE_LINES)
        return fail(err, LR_EKEY, path, "this is no list of HAProxy's, lines of base64");
    if (!is_haproxy && kind == TICKET_FILE_LINES && file.len != 0)
        return fail(err, LR_EKEY, path,
                    "no key in it is called current; if it is HAProxy's, say haproxy:FILE");
    return LR_OK;
}

static lr_status read_file(const char *path, bool is_haproxy, lr_ticket_keys *keys, lr_error *err)
{
    lr_slice bytes;
    lr_status status = whole_file_read(path, FILE_MAX, WHOLE_FILE_SECRET, &bytes, err);

    if (status != LR_OK)
        return status;
    status = check_kind(bytes, is_haproxy, path, err);
    if (status == LR_OK && lr_ticket_keys_import(keys, bytes, is_haproxy, err) != LR_OK)
        status = fail(err, err->status == LR_ENOMEM ? LR_ENOMEM : LR_EKEY, path, err->text);
    whole_file_free(bytes);
    return status;
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static lr_status read_directory(const char *path, bool is_haproxy, lr_ticket_keys *keys,
                                lr_error *err)
{
    char version[PATH_MAX], file[PATH_MAX];
    lr_status status = LR_OK;
    struct dirent **entries;
    int count;

    /* One version, whatever ..data leads to by the time of the second file. */
    if ((size_t)snprintf(file, sizeof(file), "%s/..data", path) >= sizeof(file) ||
        !realpath(file, version))
        (void)snprintf(version, sizeof(version), "%s", path);
    count = scandir(version, &entries, is_shown, by_bytes);
    if (count < 0)
        return fail(err, LR_EFILE, path, "it cannot be read");
    for (int i = 0; i < count; i++) {
        struct stat st;

        if (status == LR_OK &&
            (size_t)snprintf(file, sizeof(file), "%s/%s", version, entries[i]->d_name) <
                sizeof(file) &&
            stat(file, &st) == 0 && S_ISREG(st.st_mode))
            status = read_file(file, is_haproxy, keys, err);
        free(entries[i]);
    }
    free(entries);
    if (status == LR_OK && lr_ticket_keys_count(keys) == 0)
        status = fail(err, LR_EKEY, path, "this directory has no file of keys");
    return status;
}

lr_status ticket_files_read(const char *path, bool is_haproxy, lr_ticket_keys **out, lr_error *err)
{
    lr_ticket_keys *keys = lr_ticket_keys_new();
    lr_status status;
    struct stat st;

    *out = NULL;
    if (!keys)
        return fail(err, LR_ENOMEM, path, "out of memory");
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        status = read_directory(path, is_haproxy, keys, err);
    else
        status = read_file(path, is_haproxy, keys, err);
    if (status == LR_OK)
        *out = keys;
    else
        lr_ticket_keys_free(keys);
    return status;
}
