/* SPDX-License-Identifier: MIT */
/* core/tls/cert_text.h: the parts of a certificate as text, through a writer that never goes beyond
 * its end and tells how long the whole would be. Pure. */
#ifndef LR_CORE_TLS_CERT_TEXT_H
#define LR_CORE_TLS_CERT_TEXT_H

#include "core/base/compiler.h"

#include <lockring/certificate.h>

typedef struct lr__text {
    char *out;
    size_t cap, len; /* len: of the whole */
} lr__text;

lr__text lr__text_begin(char *out, size_t cap);
size_t lr__text_end(lr__text *text); /* terminates; the whole length */
void lr__text_format(lr__text *text, const char *format, ...) LR_PRINTF(2, 3); /* 64 bytes */
void lr__text_hex(lr__text *text, lr_slice bytes, char between); /* upper case; between may be 0 */
void lr__text_oid(lr__text *text, lr_slice id);                  /* its content; "1.2.840" */
void lr__text_name(lr__text *text, lr_slice name);               /* RFC 4514 */
void lr__text_alt_name(lr__text *text, const lr_alt_name *name);
/* False: there is none, or it cannot be told. */
bool lr__text_attribute(lr__text *text, lr_slice name, const char *attribute, uint32_t index);

#endif
