/* SPDX-License-Identifier: MIT */
/* core/tls/library.h: the TLS library as a whole, for folders that do not see it. */
#ifndef LR_CORE_TLS_LIBRARY_H
#define LR_CORE_TLS_LIBRARY_H

#include <lockring/base.h>

/* Once per process, any thread. LR_ESTATE: the wolfSSL linked is not the one compiled against, or
 * does not start. */
lr_status lr__tls_init(lr_error *err);

const char *lr__tls_library(void); /* "wolfSSL 5.9.2"; static */

#endif
