/* SPDX-License-Identifier: MIT */
/* core/base/hostname.h: is this a DNS name as SNI carries it (RFC 6066 3), and its canonical form?
 *
 * ASCII only; labels of 1..63 letters, digits, hyphens and underscores, no hyphen at either end; at
 * most 253 bytes; one trailing dot is stripped; an IPv4 or IPv6 literal is not a name. */
#ifndef LR_CORE_BASE_HOSTNAME_H
#define LR_CORE_BASE_HOSTNAME_H

#include <lockring/base.h>

enum { LR__HOSTNAME_MAX = 253 };

/* Writes the lower-case form without its trailing dot, terminated, into out (at least
 * LR__HOSTNAME_MAX + 1 bytes) and its length into *len; false if it is no name. */
bool lr__hostname_canonical(lr_slice name, char *out, size_t *len);

#endif
