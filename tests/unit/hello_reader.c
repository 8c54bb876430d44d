/* SPDX-License-Identifier: MIT */
#include "hello_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

hello_plan plan;
uint8_t message[HELLO_ROOM];
lr__hello hello;
lr__hello_fault fault;
static uint8_t *copy; /* what the last parse() read */

hello_plan *plan_of(unsigned flags)
{
    memset(&plan, 0, sizeof(plan));
    plan.flags = flags;
    plan.session_id_len = 32;
    return &plan;
}

int release(void **state)
{
    (void)state;
    free(copy);
    copy = NULL;
    return 0;
}

static void assert_inside(lr_slice part, const char *what)
{
    if (part.len == 0)
        return;
    if (part.bytes < copy || part.bytes + part.len > copy + hello.message.len)
        fail_msg("%s lies outside the message", what);
}

static void assert_sound(void)
{
    assert_inside(hello.random, "random");
    assert_inside(hello.session_id, "session_id");
    assert_inside(hello.cipher_suites, "cipher_suites");
    assert_inside(hello.extensions, "extensions");
    assert_inside(hello.servername, "servername");
    assert_inside(hello.alpn, "alpn");
    assert_inside(hello.sigalgs, "sigalgs");
    assert_inside(hello.version_list, "version_list");
    assert_inside(hello.group_list, "group_list");
    assert_inside(hello.share_list, "share_list");
    assert_inside(hello.session_ticket, "session_ticket");
    assert_inside(hello.psk, "psk");
    assert_in_range(hello.version_count, 0, LR__HELLO_VERSIONS_MAX);
    assert_in_range(hello.group_count, 0, LR__HELLO_GROUPS_MAX);
    assert_in_range(hello.share_count, 0, LR__HELLO_GROUPS_MAX);
    assert_non_null(memchr(hello.name, 0, sizeof(hello.name)));
}

lr_status parse(const uint8_t *bytes, size_t len)
{
    lr_status status;

    free(copy);
    copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    memset(&fault, 0, sizeof(fault));
    memset(&hello, 0xee, sizeof(hello));
    status = lr__hello_parse(lr_slice_of(copy, len), &hello, &fault);
    if (status == LR_OK) {
        assert_null(fault.what);
        assert_sound();
    } else {
        assert_int_equal(fault.status, status);
        assert_non_null(fault.what);
        assert_int_equal(fault.peer_alert, -1);
    }
    return status;
}

void assert_parsed(const hello_plan *p)
{
    lr_status status = parse(message, hello_make(p, message));

    if (status != LR_OK)
        fail_msg("refused: %s", fault.what);
}

void assert_refused(const hello_plan *p, lr_status status, int alert)
{
    assert_int_equal(parse(message, hello_make(p, message)), status);
    if (fault.alert != alert)
        fail_msg("alert %d for: %s", fault.alert, fault.what);
}

void assert_slice(lr_slice slice, const char *text)
{
    assert_int_equal(slice.len, strlen(text));
    assert_memory_equal(slice.bytes, text, slice.len);
}
