/* SPDX-License-Identifier: MIT */
/* core/base/list.h: an intrusive, doubly linked ring. A node that is in no list points at itself,
 * so that removing twice is harmless and membership can be asked. Single thread. */
#ifndef LR_CORE_BASE_LIST_H
#define LR_CORE_BASE_LIST_H

#include "core/base/compiler.h"

#include <stdbool.h>

typedef struct lr__list {
    struct lr__list *next, *prev;
} lr__list;

static inline void lr__list_init(lr__list *node)
{
    node->next = node->prev = node;
}

static inline bool lr__list_is_empty(const lr__list *head)
{
    return head->next == head;
}

static inline void lr__list_append(lr__list *head, lr__list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void lr__list_remove(lr__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    lr__list_init(node);
}

/* Moves all of from behind what to holds; from is empty then. */
static inline void lr__list_splice(lr__list *to, lr__list *from)
{
    if (lr__list_is_empty(from))
        return;
    from->next->prev = to->prev;
    from->prev->next = to;
    to->prev->next = from->next;
    to->prev = from->prev;
    lr__list_init(from);
}

/* The first node, taken out; null if there is none. */
static inline lr__list *lr__list_pop(lr__list *head)
{
    lr__list *node = head->next;

    if (node == head)
        return NULL;
    lr__list_remove(node);
    return node;
}

#endif
