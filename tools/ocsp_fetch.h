/* SPDX-License-Identifier: MIT */
/* tools/ocsp_fetch.h: asks an OCSP responder over HTTP. */
#ifndef LR_TOOLS_OCSP_FETCH_H
#define LR_TOOLS_OCSP_FETCH_H

#include <lockring/base.h>
#include <lockring/hello.h> /* LR_STAPLE_MAX */

/* Sends the request to url ("http://..."), waits for the answer, and puts it into out. It takes at
 * most timeout_ms, whatever the name server and the responder do, and ends at once when stop_fd
 * (-1: none) becomes readable: LR_EABORTED. For threads that may wait. LR_EOPTION: this is no
 * address; LR_ECONNECT: nobody, or not in time; LR_EOCSP: no answer of HTTP that could be one. What
 * the answer says is not looked at. */
lr_status ocsp_fetch(lr_slice url, lr_slice request, uint32_t timeout_ms, int stop_fd,
                     uint8_t out[LR_STAPLE_MAX], size_t *len, lr_error *err);

#endif
