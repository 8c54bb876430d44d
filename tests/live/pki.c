/* SPDX-License-Identifier: MIT */
#include "pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 64, SIZE = 16384 };

static struct {
    char path[512];
    char bytes[SIZE];
    size_t len;
} files[FILES];

static size_t file_of(const char *name)
{
    const char *source = getenv("LOCKRING_SOURCE_DIR");
    char path[512];
    size_t i = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/tests/unit/pki/%s", source ? source : ".", name);
    while (i < FILES && files[i].path[0] != '\0' && strcmp(files[i].path, path) != 0)
        i++;
    if (i == FILES)
        abort();
    if (files[i].path[0] != '\0')
        return i;
    file = fopen(path, "rb");
    if (!file) {
        perror(path);
        abort();
    }
    files[i].len = fread(files[i].bytes, 1, SIZE - 1, file);
    (void)fclose(file);
    (void)snprintf(files[i].path, sizeof(files[i].path), "%s", path);
    return i;
}

const char *pki_path(const char *name)
{
    return files[file_of(name)].path;
}

lr_slice pki_file(const char *name)
{
    size_t i = file_of(name);

    return lr_slice_of(files[i].bytes, files[i].len);
}

const char *pki_text(const char *name)
{
    return files[file_of(name)].bytes;
}
