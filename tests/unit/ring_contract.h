/* SPDX-License-Identifier: MIT */
/* ring_contract.h: the tests that every back end of core/io/ring.h must pass. */
#ifndef LR_TESTS_UNIT_RING_CONTRACT_H
#define LR_TESTS_UNIT_RING_CONTRACT_H

#include "tests/unit/ring_harness.h"

typedef struct ring_contract_test {
    const char *name;
    void (*run)(const rig_world *w);
    bool real_only; /* needs threads, forks or limits of the process */
} ring_contract_test;

/* ring_contract.c: what a connection lives through; ring_contract_edges.c: when something is
 * scarce, late or broken; ring_contract_reach.c: connects, and what listens on a path;
 * ring_contract_files.c: polls and files; ring_contract_real.c: threads, limits, many. Each ends
 * with a null name. */
extern const ring_contract_test ring_contract_life[], ring_contract_edges[], ring_contract_reach[],
    ring_contract_files[], ring_contract_real[];

/* A long random life of many connections. */
void ring_contract_soup(const rig_world *w, uint64_t seed);
void ring_contract_reach_soup(const rig_world *w, uint64_t seed);

/* Runs all of them, each in a world of its own. Returns the number of failures. */
int ring_contract_run(const char *group, const rig_world *(*make)(void),
                      void (*discard)(const rig_world *));

#endif
