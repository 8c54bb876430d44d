/* SPDX-License-Identifier: MIT */
#include "core/run/steer.h"

#include "core/base/check.h"
#include "core/run/workers.h"

#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

uint32_t lr__cpus_allowed(int *cpus, uint32_t max)
{
    cpu_set_t set;
    uint32_t count = 0;

    LR_DCHECK(max > 0);
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        for (int cpu = 0; cpu < CPU_SETSIZE && count < max; cpu++) {
            if (CPU_ISSET((unsigned)cpu, &set))
                cpus[count++] = cpu;
        }
    }
    if (count == 0)
        cpus[count++] = 0;
    return count;
}

void lr__thread_settle(uint32_t index, int cpu)
{
    char name[16];
    cpu_set_t set;

    (void)snprintf(name, sizeof(name), "lr-worker-%u", index);
    (void)pthread_setname_np(pthread_self(), name);
    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    (void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set); /* refused: it runs anywhere */
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;

        return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    }
    if (address->ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
    return true;
}

/* Receive queues of one interface, as /sys/class/net/NAME/queues/rx-N tells. */
static uint32_t receive_queues(const char *interface)
{
    char path[300];
    struct dirent *entry;
    uint32_t count = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "/sys/class/net/%s/queues", interface);
    dir = opendir(path);
    if (!dir)
        return 0;
    while ((entry = readdir(dir)) != NULL)
        count += strncmp(entry->d_name, "rx-", 3) == 0;
    (void)closedir(dir);
    return count;
}

static uint32_t most_receive_queues(void)
{
    DIR *dir = opendir("/sys/class/net");
    struct dirent *entry;
    uint32_t most = 0;

    if (!dir)
        return 0;
    while ((entry = readdir(dir)) != NULL) {
        uint32_t count;

        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lo") == 0)
            continue;
        count = receive_queues(entry->d_name);
        most = count > most ? count : most;
    }
    (void)closedir(dir);
    return most;
}

bool lr__workers_may_steer(const lr_workers *workers, const struct sockaddr_storage *address)
{
    if (!workers->pinned || workers->count < 2 || workers->steer == LR_OFF)
        return false;
    if (workers->steer == LR_ON)
        return true;
    if (is_loopback(address) || (long)workers->count < sysconf(_SC_NPROCESSORS_ONLN))
        return false;
    return most_receive_queues() >= workers->count;
}
