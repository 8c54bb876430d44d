/* SPDX-License-Identifier: MIT */
/* pki.h: the files that tests/unit/fixtures_pki.sh made, by their names: "client.pem". */
#ifndef LR_TESTS_LIVE_PKI_H
#define LR_TESTS_LIVE_PKI_H

#include <lockring/base.h>

const char *pki_path(const char *name); /* lives as long as the process; 64 of them */
lr_slice pki_file(const char *name);    /* read once, followed by a zero; lives as long */
const char *pki_text(const char *name); /* the same as a string */

#endif
