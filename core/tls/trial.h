/* SPDX-License-Identifier: MIT */
/* core/tls/trial.h: a handshake in memory, to find out whether a context can make one at all before
 * any client depends on it. */
#ifndef LR_CORE_TLS_TRIAL_H
#define LR_CORE_TLS_TRIAL_H

#include "core/tls/context.h"

/* With each identity, in the highest version, against a client that verifies nothing. Any thread;
 * about 0.3 ms per identity (RSA: 2 ms). LR_ETLS, LR_ENOMEM with the identity in err. */
lr_status lr__context_try(lr_context *context, lr_error *err);

#endif
