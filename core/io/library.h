/* SPDX-License-Identifier: MIT */
/* core/io/library.h: the ring library as a whole, for folders that do not see it. */
#ifndef LR_CORE_IO_LIBRARY_H
#define LR_CORE_IO_LIBRARY_H

const char *lr__io_library(void); /* "liburing 2.15"; static; any thread */

#endif
