/* SPDX-License-Identifier: MIT */
/* fuzz_ocsp_http.c: what a responder sends, in one piece and byte by byte, which must come to the
 * same; and the same bytes as the address of a certificate, which must stay inside its line. */
#include "core/base/check.h"
#include "tools/ocsp_http.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 64 };

static void read_answer(lr_slice bytes)
{
    char reason[96] = "", early_reason[96];
    lr_slice body = {NULL, 0}, early;
    ocsp_http_state last = ocsp_http_read(bytes, true, BODY_MAX, &body, reason);

    LR_CHECK(last != OCSP_HTTP_MORE);
    LR_CHECK((last == OCSP_HTTP_BAD) == (reason[0] != '\0'));
    if (last == OCSP_HTTP_DONE) {
        LR_CHECK(body.len <= BODY_MAX && body.bytes >= bytes.bytes);
        LR_CHECK(body.bytes + body.len <= bytes.bytes + bytes.len);
    }
    for (size_t len = 0; len < bytes.len; len++) {
        ocsp_http_state state =
            ocsp_http_read(lr_slice_of(bytes.bytes, len), false, BODY_MAX, &early, early_reason);

        if (state == OCSP_HTTP_MORE)
            continue;
        LR_CHECK(state == last); /* more bytes do not change a verdict */
        if (state == OCSP_HTTP_DONE)
            LR_CHECK(early.bytes == body.bytes && early.len == body.len);
        return;
    }
}

static void read_url(lr_slice text)
{
    const char *reason = NULL;
    char head[2048];
    ocsp_url url;
    size_t len;

    if (!ocsp_url_read(text, &url, &reason)) {
        LR_CHECK(reason != NULL);
        return;
    }
    LR_CHECK(url.host[0] != '\0' && url.port[0] != '\0' && url.path[0] == '/');
    len = ocsp_http_request(&url, 1, head, sizeof(head));
    LR_CHECK(len != 0 && strlen(head) == len);
    for (size_t i = 0, lines = 0; i < len; i++) {
        lines += head[i] == '\n';
        LR_CHECK(lines <= 7 && (lines < 7 || i == len - 1));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_answer(lr_slice_of(data, size));
    read_url(lr_slice_of(data, size));
    return 0;
}
