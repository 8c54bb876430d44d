/* SPDX-License-Identifier: MIT */
/* tools/serve_stats.h: the numbers of a set of workers over HTTP, for those on this machine alone.
 *
 *     GET /             a page that draws them (tools/status_page.html)
 *     GET /stats.json   lr_stats_json()
 *     GET /metrics      lr_stats_prometheus()
 *
 * It is a plain server on the same workers, so its own connections are among the numbers. It
 * listens on a loopback address or a unix socket and nowhere else: there is no TLS and nobody is
 * asked who he is. A request by a name that is none of this machine is refused, so that no page of
 * another site reads the numbers through a name that it made to mean 127.0.0.1. */
#ifndef LR_TOOLS_SERVE_STATS_H
#define LR_TOOLS_SERVE_STATS_H

#include <lockring/workers.h>

typedef struct serve_stats serve_stats;

/* Before lr_workers_start(). address: "127.0.0.1:9090", "[::1]:9090", "localhost:9090" (port 0: the
 * kernel chooses), "unix:/path" or "unix:@name". LR_EOPTION: it is none of these forms, or no
 * loopback address; LR_EADDRESS, LR_EADDRINUSE, LR_ENOMEM, LR_ESYSTEM. */
lr_status serve_stats_open(lr_workers *workers, const char *address, serve_stats **out,
                           lr_error *err);
/* "127.0.0.1:9090", "unix:/path": as it is bound. */
bool serve_stats_address(const serve_stats *stats, char *out, size_t cap);
void serve_stats_close(serve_stats *stats); /* after lr_workers_join(); null is allowed */

#endif
