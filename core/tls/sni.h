/* SPDX-License-Identifier: MIT */
/* core/tls/sni.h: the table of names behind lr_names: canonical patterns in an open hash table.
 *
 * Written by its owner only; a published copy is written by nobody and read by every worker. */
#ifndef LR_CORE_TLS_SNI_H
#define LR_CORE_TLS_SNI_H

#include <lockring/names.h>

typedef struct lr__name_entry {
    char *pattern; /* canonical: lower case, no dot at the end; null: the slot is empty */
    lr_context *context;
    uint64_t added; /* counted from 1, and anew where it replaces; 0: empty */
} lr__name_entry;

struct lr_names {
    lr__name_entry *entries; /* [cap], a power of two; null if cap is 0 */
    uint32_t cap, count;
    uint64_t added; /* the last one's */
    bool newest_wins;
};

lr_status lr__names_copy(lr_names *to, const lr_names *from); /* to is empty; LR_ENOMEM */
void lr__names_fini(lr_names *names);
/* canonical: as lr__hostname_canonical() has it. */
lr_context *lr__names_lookup(const lr_names *names, const char *canonical);

#endif
