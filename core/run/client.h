/* SPDX-License-Identifier: MIT */
/* core/run/client.h: the maker of connections. It shares everything with a server but the way in:
 * parts, hooks, limits, draining. */
#ifndef LR_CORE_RUN_CLIENT_H
#define LR_CORE_RUN_CLIENT_H

#include "core/run/server.h"

#include <lockring/client.h>

struct lr_client {
    lr_server base; /* is_client; without context and listeners */
};

#endif
