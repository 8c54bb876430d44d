/* SPDX-License-Identifier: MIT */
/* core/base/current.c: a thread-local pointer, and the system's clock and randomness behind it. */
#include "core/base/current.h"

#include "core/base/check.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static _Thread_local lr__current *current_worker;

lr__current *lr__current_get(void)
{
    return current_worker;
}

lr__current *lr__current_set(lr__current *current)
{
    lr__current *before = current_worker;

    current_worker = current;
    return before;
}

static bool system_random(uint8_t *out, size_t size)
{
    while (size > 0) {
        ssize_t got = getrandom(out, size < 256 ? size : 256, 0); /* at most 256: never cut short */

        if (got < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        out += got;
        size -= (size_t)got;
    }
    return true;
}

bool lr__current_random(void *out, size_t size)
{
    lr__current *current = current_worker;

    LR_DCHECK(out != NULL);
    if (current)
        return current->random(current, out, size);
    return system_random(out, size);
}

int64_t lr__current_wall_ms(void)
{
    lr__current *current = current_worker;
    struct timespec now;

    if (current)
        return current->wall_ms(current);
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
