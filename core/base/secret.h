/* SPDX-License-Identifier: MIT */
/* core/base/secret.h: heap blocks for private keys: whole pages of their own, left out of core
 * dumps (madvise(2), MADV_DONTDUMP), wiped when they are freed. Any thread; a few blocks per
 * context, so a mutex guards their list. */
#ifndef LR_CORE_BASE_SECRET_H
#define LR_CORE_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

void *lr__secret_alloc(size_t size); /* zeroed; null: out of memory; size > 0 */
void lr__secret_free(void *ptr);     /* wipes; null is allowed */

/* Is it such a block? Those that are not on a page's first byte cost one comparison. */
bool lr__secret_is(const void *ptr);
size_t lr__secret_size(const void *ptr); /* of one that is; whole pages */

#endif
