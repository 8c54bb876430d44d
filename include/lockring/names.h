/* SPDX-License-Identifier: MIT */
/* lockring/names.h: which context serves which server name (S13, S45, S126, B7).
 *
 * An lr_names is filled by its owner and handed to lr_server_publish(), which copies it: the
 * workers see all of it or nothing, between two turns. Established connections keep the context
 * that they have.
 *
 * A pattern is a host name, or "*." and a host name: the asterisk stands for exactly one whole
 * label, so "*.example.org" is "a.example.org", not "example.org" or "a.b.example.org"; "*" alone
 * is any name of one label. An exact name beats a wildcard, unless the newest is to win. Letters of
 * both cases are the same, a dot at the end counts for nothing. A label that begins with "xn--" is
 * matched by itself only, never by an asterisk. Addresses are not names: clients do not send them
 * (RFC 6066 3).
 *
 * Threads  an lr_names: one thread at a time. Publishing: any.
 * Memory   patterns are copied, contexts get a reference.
 * Errors   err names the pattern and what is wrong with it; the object is unchanged then. */
#ifndef LOCKRING_NAMES_H
#define LOCKRING_NAMES_H

#include <lockring/base.h>
#include <lockring/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lr_names lr_names;

LR_API LR_ANY LR_NODISCARD lr_names *lr_names_new(void); /* null: out of memory */
LR_API LR_ANY void lr_names_free(lr_names *names);       /* null is allowed */

/* Adds, or replaces the context of the same pattern. LR_EINVAL: no pattern ("a*b.example.org", a
 * label of more than 63 bytes, an address); LR_ENOMEM. */
LR_API LR_ANY LR_NODISCARD lr_status lr_names_add(lr_names *names, const char *pattern,
                                                  lr_context *context, lr_error *err);
/* False: there is no such pattern. */
LR_API LR_ANY bool lr_names_remove(lr_names *names, const char *pattern);
/* Of an exact name and a wildcard that both match, the one that was added (or replaced) last wins,
 * as in Node.js; default off. A server whose own context has LR_PROFILE_NODE4 does so with all
 * names that it is given. */
LR_API LR_ANY void lr_names_set_newest_wins(lr_names *names, bool newest_wins);
LR_API LR_ANY uint32_t lr_names_count(const lr_names *names);
/* The context for a server name as a client sends it, borrowed; null: none. */
LR_API LR_ANY lr_context *lr_names_find(const lr_names *names, lr_slice servername);

#ifdef __cplusplus
}
#endif

#endif
