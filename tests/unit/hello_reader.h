/* SPDX-License-Identifier: MIT */
/* hello_reader.h: parses what the maker makes, for the tests of core/tls/hello.c. Every message is
 * parsed from memory of exactly its size, and what comes out must lie inside it. */
#ifndef LR_TESTS_UNIT_HELLO_READER_H
#define LR_TESTS_UNIT_HELLO_READER_H

#include "core/tls/hello.h"
#include "hello_maker.h"

extern hello_plan plan;
extern uint8_t message[HELLO_ROOM]; /* what assert_parsed() and assert_refused() made */
extern lr__hello hello;             /* what the last parse() gave; valid until the next */
extern lr__hello_fault fault;

/* Begins a fresh plan, with a session id of 32 bytes. */
hello_plan *plan_of(unsigned flags);

lr_status parse(const uint8_t *bytes, size_t len);
void assert_parsed(const hello_plan *p);
void assert_refused(const hello_plan *p, lr_status status, int alert);
void assert_slice(lr_slice slice, const char *text);

/* The group's teardown. */
int release(void **state);

#endif
