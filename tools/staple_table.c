/* SPDX-License-Identifier: MIT */
#include "tools/staple_table.h"

#include <stdlib.h>
#include <string.h>

staple_table *staple_table_new(void)
{
    return calloc(1, sizeof(staple_table));
}

void staple_table_free(staple_table *table)
{
    if (!table)
        return;
    for (uint32_t i = 0; i < table->count; i++) {
        staple_subject_drop(&table->rows[i].subject);
        lr_bytes_release(table->rows[i].response);
    }
    free(table->rows);
    free(table);
}

staple_row *staple_table_add(staple_table *table, staple_subject *subject)
{
    if (table->count == table->room) {
        uint32_t room = table->room ? table->room * 2 : 4;
        staple_row *rows =
            room <= STAPLE_ROWS_MAX ? realloc(table->rows, room * sizeof(*rows)) : NULL;

        if (!rows) {
            staple_subject_drop(subject);
            return NULL;
        }
        table->rows = rows;
        table->room = room;
    }
    table->rows[table->count] = (staple_row){.subject = *subject};
    return &table->rows[table->count++];
}

staple_row *staple_table_find(staple_table *table, lr_slice leaf)
{
    for (uint32_t i = 0; i < table->count; i++) {
        lr_slice row = lr_bytes_slice(table->rows[i].subject.leaf);

        if (row.len == leaf.len && memcmp(row.bytes, leaf.bytes, row.len) == 0)
            return &table->rows[i];
    }
    return NULL;
}

bool staple_stamp_read(const char *file, staple_stamp *out)
{
    struct stat st;

    memset(out, 0, sizeof(*out));
    if (stat(file, &st) != 0)
        return false;
    out->device = st.st_dev;
    out->inode = st.st_ino;
    out->size = st.st_size;
    out->changed = st.st_mtim;
    return true;
}

bool staple_stamp_same(const staple_stamp *a, const staple_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}
