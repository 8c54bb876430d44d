/* SPDX-License-Identifier: MIT */
/* The states of a connection: every move that core/run/conn.h's table allows, and no other. */
#include "support.h"

#include "core/run/conn.h"

/* Row: from; column: to; in the order of LR__CONN_STATES. */
static const char *const table[LR__CONN_STATE_COUNT] = {
    /* CONNECT PREFACE HELLO PARKED HANDSHAKE OPEN ENDING CLOSING CLOSED */
    [LR__CONN_CONNECT] = "-----x-x-",   [LR__CONN_PREFACE] = "--x--x-x-",
    [LR__CONN_HELLO] = "---xx-xx-",     [LR__CONN_PARKED] = "----x-xx-",
    [LR__CONN_HANDSHAKE] = "-----xxx-", [LR__CONN_OPEN] = "------xx-",
    [LR__CONN_ENDING] = "-------x-",    [LR__CONN_CLOSING] = "--------x",
    [LR__CONN_CLOSED] = "---------",
};

static void the_moves_of_the_table_are_allowed_and_no_others(void **state)
{
    (void)state;
    for (unsigned from = 0; from < LR__CONN_STATE_COUNT; from++) {
        assert_int_equal(strlen(table[from]), LR__CONN_STATE_COUNT);
        for (unsigned to = 0; to < LR__CONN_STATE_COUNT; to++) {
            bool allowed = table[from][to] == 'x';

            if (lr__conn_may_enter((lr__conn_state)from, (lr__conn_state)to) != allowed)
                fail_msg("%s to %s", lr__conn_state_name((lr__conn_state)from),
                         lr__conn_state_name((lr__conn_state)to));
        }
    }
}

static void what_is_no_state_is_never_entered_or_left(void **state)
{
    static const unsigned none[] = {LR__CONN_STATE_COUNT, LR__CONN_STATE_COUNT + 1, 1000,
                                    UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(none); i++) {
        for (unsigned s = 0; s < LR__CONN_STATE_COUNT; s++) {
            assert_false(lr__conn_may_enter((lr__conn_state)none[i], (lr__conn_state)s));
            assert_false(lr__conn_may_enter((lr__conn_state)s, (lr__conn_state)none[i]));
        }
    }
}

static void every_state_leads_to_closed_and_none_back(void **state)
{
    (void)state;
    for (unsigned from = 0; from < LR__CONN_STATE_COUNT; from++) {
        if (from < LR__CONN_CLOSING)
            assert_true(lr__conn_may_enter((lr__conn_state)from, LR__CONN_CLOSING));
        for (unsigned to = 0; to <= from; to++)
            assert_false(lr__conn_may_enter((lr__conn_state)from, (lr__conn_state)to));
    }
    assert_true(lr__conn_may_enter(LR__CONN_CLOSING, LR__CONN_CLOSED));
}

static void each_state_has_its_name(void **state)
{
    static const char *const names[LR__CONN_STATE_COUNT] = {
        [LR__CONN_CONNECT] = "CONNECT",     [LR__CONN_PREFACE] = "PREFACE",
        [LR__CONN_HELLO] = "HELLO",         [LR__CONN_PARKED] = "PARKED",
        [LR__CONN_HANDSHAKE] = "HANDSHAKE", [LR__CONN_OPEN] = "OPEN",
        [LR__CONN_ENDING] = "ENDING",       [LR__CONN_CLOSING] = "CLOSING",
        [LR__CONN_CLOSED] = "CLOSED",
    };

    (void)state;
    for (unsigned s = 0; s < LR__CONN_STATE_COUNT; s++)
        assert_string_equal(lr__conn_state_name((lr__conn_state)s), names[s]);
}

static void an_allowed_move_is_made(void **state)
{
    static lr_conn conn;

    (void)state;
    conn.state = LR__CONN_HELLO;
    assert_false(lr__conn_is_over(&conn));
    lr__conn_enter(&conn, LR__CONN_HANDSHAKE);
    assert_int_equal(conn.state, LR__CONN_HANDSHAKE);
    lr__conn_enter(&conn, LR__CONN_OPEN);
    lr__conn_enter(&conn, LR__CONN_ENDING);
    assert_false(lr__conn_is_over(&conn));
    lr__conn_enter(&conn, LR__CONN_CLOSING);
    assert_true(lr__conn_is_over(&conn));
    lr__conn_enter(&conn, LR__CONN_CLOSED);
    assert_true(lr__conn_is_over(&conn));
}

static void go_back(void *arg)
{
    static lr_conn conn;

    (void)arg;
    conn.state = LR__CONN_OPEN;
    lr__conn_enter(&conn, LR__CONN_HANDSHAKE);
}

static void stay(void *arg)
{
    static lr_conn conn;

    (void)arg;
    conn.state = LR__CONN_CLOSING;
    lr__conn_enter(&conn, LR__CONN_CLOSING);
}

static void name_of_none(void *arg)
{
    (void)arg;
    (void)lr__conn_state_name(LR__CONN_STATE_COUNT);
}

static void a_move_that_is_not_allowed_ends_the_process(void **state)
{
    (void)state;
    support_assert_check_fails(go_back, NULL, "may_enter");
    support_assert_check_fails(stay, NULL, "may_enter");
    support_assert_check_fails(name_of_none, NULL, "unreachable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_moves_of_the_table_are_allowed_and_no_others),
        cmocka_unit_test(what_is_no_state_is_never_entered_or_left),
        cmocka_unit_test(every_state_leads_to_closed_and_none_back),
        cmocka_unit_test(each_state_has_its_name),
        cmocka_unit_test(an_allowed_move_is_made),
        cmocka_unit_test(a_move_that_is_not_allowed_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
