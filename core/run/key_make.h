/* SPDX-License-Identifier: MIT */
/* core/run/key_make.h: making the sets that core/run/key_store.h publishes: who is next, current
 * and retired in them. A set is its maker's until it is published. */
#ifndef LR_CORE_RUN_KEY_MAKE_H
#define LR_CORE_RUN_KEY_MAKE_H

#include "core/run/key_store.h"

void lr__keys_made_free(lr__published_keys *set); /* wipes; null is allowed */

/* A current and a next key from the system's generator. */
lr_status lr__keys_made_drawn(uint32_t places, lr__published_keys **out, lr_error *err);
lr_status lr__keys_made_copy(const lr__published_keys *from, uint32_t places,
                             lr__published_keys **out, lr_error *err);
/* The next key is current, the current one retired, and a new next one drawn. The oldest goes where
 * there is no room. */
lr_status lr__keys_made_rotated(const lr__published_keys *before, uint32_t places,
                                lr__published_keys **out, lr_error *err);
/* The keys of the list, and behind them, retired, those of before (null: none) as far as there is
 * room. The next one of before only if keep_next: a drawn one has sealed nothing. LR_EKEY: a name
 * is that of another key. */
lr_status lr__keys_made_given(const lr__published_keys *before, const lr_ticket_keys *keys,
                              bool keep_next, uint32_t places, lr__published_keys **out,
                              lr_error *err);
/* What comes before: the current key of before seals, the list's is next, all others open. */
lr_status lr__keys_made_accepting(const lr__published_keys *before, const lr_ticket_keys *keys,
                                  uint32_t places, lr__published_keys **out, lr_error *err);

/* Does the set open with that key, and not only for some time? *at: its index. */
bool lr__keys_made_accepts(const lr__published_keys *set, const uint8_t key[LR_TICKET_KEY_SIZE],
                           uint32_t *at);

/* The last step before the set is published in place of before (null: none): keys that retire with
 * it open until now + keep, those whose time is over are wiped, and `since` is filled. */
void lr__keys_made_finish(lr__published_keys *set, const lr__published_keys *before,
                          uint64_t now_ns, uint64_t keep_ns);

#endif
