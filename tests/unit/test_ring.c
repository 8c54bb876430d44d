/* SPDX-License-Identifier: MIT */
/* The contract of core/io/ring.h on the back ends with real sockets. */
#include "tests/unit/ring_contract.h"
#include "tests/unit/ring_real.h"

#include <stdio.h>

static const rig_world *make_uring(void)
{
    return &rig_real_uring;
}

static const rig_world *make_epoll(void)
{
    return &rig_real_epoll;
}

static void discard(const rig_world *w)
{
    (void)w;
}

int main(void)
{
    lr_error err = {0};
    int failed;

    alarm(300); /* a test that hangs has failed */
    failed = ring_contract_run("epoll", make_epoll, discard);
    if (lr__backend_probe_uring(&err) != LR_OK) {
        printf("uring is left out: %s\n", err.text);
        return failed ? 1 : 77;
    }
    failed += ring_contract_run("uring", make_uring, discard);
    return failed ? 1 : 0;
}
