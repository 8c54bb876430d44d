/* SPDX-License-Identifier: MIT */
/* ring_real.h: peers that are sockets of this process on the loopback interface. */
#ifndef LR_TESTS_UNIT_RING_REAL_H
#define LR_TESTS_UNIT_RING_REAL_H

#include "tests/unit/ring_harness.h"

extern const rig_world rig_real_uring, rig_real_epoll;

/* Raises RLIMIT_NOFILE to its hard limit and returns it. */
uint64_t rig_real_raise_files(void);

#endif
