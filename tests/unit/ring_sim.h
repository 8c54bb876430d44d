/* SPDX-License-Identifier: MIT */
/* ring_sim.h: peers of a simulated world. */
#ifndef LR_TESTS_UNIT_RING_SIM_H
#define LR_TESTS_UNIT_RING_SIM_H

#include "tests/sim/sim.h"
#include "tests/unit/ring_harness.h"

/* Around a world with auto_advance. */
rig_world rig_sim_world(sim *world);

#endif
