/* SPDX-License-Identifier: MIT */
#include "core/io/ops.h"

#include <assert.h>
#include <errno.h>

enum { WITH_RES = 1 << LR__OP_SEND | 1 << LR__OP_CONNECT | 1 << LR__OP_FILE };

static_assert(LR__OP_COUNT <= 8, "a set of ops is a byte");

void lr__due_add(lr__due *due, lr__ops *ops, lr__op op)
{
    LR_DCHECK(lr__ops_on(ops, op) && !(ops->due & lr__op_bit(op)));
    if (!ops->due) {
        ops->next_due = NULL;
        if (due->last)
            due->last->next_due = ops;
        else
            due->first = ops;
        due->last = ops;
    }
    ops->due |= lr__op_bit(op);
}

uint32_t lr__due_take(lr__due *due, lr__completion *out, uint32_t cap)
{
    uint32_t n = 0;

    while (n < cap && due->first) {
        lr__ops *ops = due->first;
        lr__op op = (lr__op)__builtin_ctz(ops->due);
        int32_t res = -ECANCELED;

        if (lr__op_bit(op) & WITH_RES)
            res = ops->due_res;
        else if (op == LR__OP_CLOSE)
            res = 0;
        ops->due &= (uint8_t)~lr__op_bit(op);
        if (!ops->due) {
            due->first = ops->next_due;
            if (!due->first)
                due->last = NULL;
        }
        (void)lr__ops_give(due, ops, op, res, true, &out[n++]);
    }
    return n;
}
