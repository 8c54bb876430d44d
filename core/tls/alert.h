/* SPDX-License-Identifier: MIT */
/* core/tls/alert.h: which alert and which status belong to a failure of wolfSSL, and sending it. */
#ifndef LR_CORE_TLS_ALERT_H
#define LR_CORE_TLS_ALERT_H

#include <lockring/base.h>

struct WOLFSSL;

int lr__alert_of_native(int native); /* RFC 8446 6.2 */
lr_status lr__status_of_native(int native);

/* A fatal alert under the connection's current keys. */
void lr__wolf_send_alert(struct WOLFSSL *ssl, int alert);

#endif
