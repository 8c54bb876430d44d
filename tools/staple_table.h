/* SPDX-License-Identifier: MIT */
/* tools/staple_table.h: the certificates of lockring-serve and what is stapled to them. No locks:
 * serve_staples.c has one around each use. */
#ifndef LR_TOOLS_STAPLE_TABLE_H
#define LR_TOOLS_STAPLE_TABLE_H

#include "tools/serve_staples.h"
#include "tools/staple.h"

#include <sys/stat.h>

/* Which content of a file was looked at; all zero: none. */
typedef struct staple_stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
} staple_stamp;

typedef struct staple_row {
    staple_subject subject;
    const char *file;   /* of --ocsp-file; null: its responder is asked */
    lr_bytes *response; /* null: nothing is stapled */
    int64_t expires_at; /* the last second in which that may be stapled */
    int64_t due_at;     /* when to look or ask again; INT64_MAX: never */
    int64_t put_at;     /* when that was said: a clock that shows less was set back */
    uint32_t failures;  /* in a row */
    bool is_revoked;    /* what was heard last: an older response must not say otherwise */
    staple_stamp stamp; /* of file */
} staple_row;

enum { STAPLE_ROWS_MAX = 4096 };

struct staple_table {
    staple_row *rows;
    uint32_t count, room;
};

staple_table *staple_table_new(void); /* null: no memory */
void staple_table_free(staple_table *table);
/* Takes the subject. Null: no memory or too many; then the subject is dropped. */
staple_row *staple_table_add(staple_table *table, staple_subject *subject);
staple_row *staple_table_find(staple_table *table, lr_slice leaf); /* null: it is not there */

bool staple_stamp_read(const char *file, staple_stamp *out); /* false: there is none */
bool staple_stamp_same(const staple_stamp *a, const staple_stamp *b);

#endif
