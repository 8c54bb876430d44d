/* SPDX-License-Identifier: MIT */
/* core/tls/fingerprint.h: what kind of client sent a ClientHello, in two ways that others know too.
 *
 * JA3 (Salesforce, 2017): MD5 of version, suites, extensions, groups and point formats in their
 * order. JA4 (FoxIO, 2023): readable counts, then SHA-256 of sorted lists, so that a client that
 * shuffles its extensions stays the same. Both leave GREASE out. Computed only when asked for. */
#ifndef LR_CORE_TLS_FINGERPRINT_H
#define LR_CORE_TLS_FINGERPRINT_H

#include "core/tls/hello.h"

enum { LR__JA3_SIZE = 32 + 1, LR__JA4_SIZE = 10 + 1 + 12 + 1 + 12 + 1 };

/* False, and "": wolfCrypt failed. */
bool lr__ja3(const lr__hello *hello, char out[LR__JA3_SIZE]);
bool lr__ja4(const lr__hello *hello, char out[LR__JA4_SIZE]);

#endif
