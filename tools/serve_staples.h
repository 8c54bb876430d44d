/* SPDX-License-Identifier: MIT */
/* tools/serve_staples.h: --ocsp-file and --ocsp of lockring-serve: the OCSP responses that it
 * staples, from files and from responders. One per process. */
#ifndef LR_TOOLS_SERVE_STAPLES_H
#define LR_TOOLS_SERVE_STAPLES_H

#include "tools/serve_options.h"

typedef struct serve_staples serve_staples;
typedef struct staple_table staple_table; /* the certificates and what is stapled to them */

/* Reads the files; *out is null where no option asks for staples. LR_EFILE, LR_EOCSP: a response
 * that is none for its certificate. One that is right but does not count now, or does not say good,
 * is told in the log and not stapled. */
lr_status serve_staples_make(const serve_options *options, serve_staples **out, lr_error *err);
/* Puts on_ocsp_request beside the server's handlers, in room, which lives until lr_server_new(). */
void serve_staples_use(serve_staples *staples, lr_server_options *server, lr_handlers *room);
/* The thread that looks at the files and asks the responders. */
lr_status serve_staples_start(serve_staples *staples, lr_error *err); /* null is allowed */
void serve_staples_stop(serve_staples *staples); /* null, and one without a thread, are allowed */

/* For a reload: reads everything again; what is wrong changes nothing. Then the table takes its
 * place; staples of certificates that are in both stay. Null staples are allowed. */
lr_status serve_staples_load(serve_staples *staples, staple_table **out, lr_error *err);
void serve_staples_swap(serve_staples *staples, staple_table *table);
void serve_staples_drop(staple_table *table); /* null is allowed */

void serve_staples_free(serve_staples *staples); /* when the workers have ended; null is allowed */

#endif
