/* SPDX-License-Identifier: MIT */
/* lockring/lockring.h: the whole public API (S1). */
#ifndef LOCKRING_LOCKRING_H
#define LOCKRING_LOCKRING_H

#include <lockring/base.h>
#include <lockring/bytes.h>
#include <lockring/certificate.h>
#include <lockring/client.h>
#include <lockring/conn.h>
#include <lockring/context.h>
#include <lockring/file.h>
#include <lockring/hello.h>
#include <lockring/names.h>
#include <lockring/ocsp.h>
#include <lockring/run.h>
#include <lockring/server.h>
#include <lockring/stats.h>
#include <lockring/ticket_keys.h>
#include <lockring/workers.h>

#endif
