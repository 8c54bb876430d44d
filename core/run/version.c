/* SPDX-License-Identifier: MIT */
/* core/run/version.c: what this library is and what it contains. */
#include "core/io/library.h"
#include "core/tls/library.h"

#include <lockring/base.h>
#include <lockring/version.h>

#include <pthread.h>
#include <stdio.h>

static char text[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void compose(void)
{
    (void)snprintf(text, sizeof(text),
                   "lockring %s (MIT) with %s (GPL-3.0-or-later) and %s (MIT)\n"
                   "As it contains wolfSSL, a binary of it is distributed under "
                   "the GPL, version 3 "
                   "or later.",
                   LR_VERSION, lr__tls_library(), lr__io_library());
}

const char *lr_version(void)
{
    return LR_VERSION;
}

const char *lr_version_text(void)
{
    (void)pthread_once(&once, compose);
    return text;
}
