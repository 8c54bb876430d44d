/* SPDX-License-Identifier: MIT */
/* core/run/steer.h: CPUs: which ones there are, settling a thread on one, and whether connections
 * should be steered to the worker on the CPU that their packets arrive on. */
#ifndef LR_CORE_RUN_STEER_H
#define LR_CORE_RUN_STEER_H

#include <lockring/workers.h>

#include <sys/socket.h>

/* The CPUs that this process may use, ascending; at least one. */
uint32_t lr__cpus_allowed(int *cpus, uint32_t max);

/* Names the calling thread "lr-worker-N" and pins it to a CPU (-1: not). */
void lr__thread_settle(uint32_t index, int cpu);

/* SO_INCOMING_CPU pays where each worker has a CPU of its own and the network card spreads its
 * packets over as many queues; on loopback, or with one queue, it would send every client to one
 * worker. LR_ON and LR_OFF of lr_workers_options.steer overrule. */
bool lr__workers_may_steer(const lr_workers *workers, const struct sockaddr_storage *address);

#endif
