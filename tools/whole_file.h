/* SPDX-License-Identifier: MIT */
/* tools/whole_file.h: files that are read as a whole and replaced as a whole. */
#ifndef LR_TOOLS_WHOLE_FILE_H
#define LR_TOOLS_WHOLE_FILE_H

#include <lockring/base.h>

/* What a file is made of to whoever reads it. */
typedef enum whole_file_kind {
    WHOLE_FILE_PUBLIC,
    WHOLE_FILE_SECRET /* nobody but its owner may write it, as with private keys */
} whole_file_kind;

/* A regular file of at most max bytes, in a block that whole_file_free() wipes. LR_EFILE; LR_EKEY:
 * others may write a secret one. err names the file. */
lr_status whole_file_read(const char *path, size_t max, whole_file_kind kind, lr_slice *out,
                          lr_error *err);
void whole_file_free(lr_slice bytes); /* an empty one is allowed */

/* What becomes of a file that is there. */
typedef enum whole_file_way {
    WHOLE_FILE_NEW,     /* nothing: LR_EFILE */
    WHOLE_FILE_REPLACE, /* it goes, and its owner and mode with it */
    WHOLE_FILE_UPDATE   /* it keeps its owner and mode */
} whole_file_way;

/* Puts the bytes in the place of the file at once: whoever reads it has the old ones or the new
 * ones, also after a crash. mode is that of a new one. */
lr_status whole_file_write(const char *path, lr_slice bytes, unsigned mode, whole_file_way way,
                           lr_error *err);

#endif
