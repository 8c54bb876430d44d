/* SPDX-License-Identifier: MIT */
/* Gives each file named on the command line to a fuzz target once. This is what a fuzz target runs
 * with where libFuzzer is not: the corpus then is an ordinary test. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Reads a whole file into memory of exactly its size, so that a sanitizer sees one byte too many.
 */
static uint8_t *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long size;

    if (file == NULL)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 &&
        fseek(file, 0, SEEK_SET) == 0) {
        *len = (size_t)size;
        bytes = malloc(*len != 0 ? *len : 1);
        if (bytes != NULL && fread(bytes, 1, *len, file) != *len) {
            free(bytes);
            bytes = NULL;
        }
    }
    fclose(file);
    return bytes;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "replay: no corpus\n");
        return EXIT_FAILURE;
    }
    for (int i = 1; i < argc; i++) {
        size_t len = 0;
        uint8_t *bytes = read_file(argv[i], &len);

        if (bytes == NULL) {
            fprintf(stderr, "replay: cannot read %s\n", argv[i]);
            return EXIT_FAILURE;
        }
        (void)LLVMFuzzerTestOneInput(bytes, len);
        free(bytes);
    }
    printf("replayed %d inputs\n", argc - 1);
    return EXIT_SUCCESS;
}
