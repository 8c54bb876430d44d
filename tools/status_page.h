/* SPDX-License-Identifier: MIT */
/* tools/status_page.h: tools/status_page.html, inside the program (tools/cmake/embed_page.cmake).
 */
#ifndef LR_TOOLS_STATUS_PAGE_H
#define LR_TOOLS_STATUS_PAGE_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t status_page[];
extern const size_t status_page_size;
extern const char status_page_policy[]; /* its Content-Security-Policy */

#endif
