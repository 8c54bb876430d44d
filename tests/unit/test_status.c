/* SPDX-License-Identifier: MIT */
#include "core/base/status.h"

#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

static void every_status_has_its_name_its_text_and_its_class(void **state)
{
    static const struct {
        lr_status status;
        const char *name, *text;
    } all[] = {
#define STATUS_ROW(name, value, text) {name, #name, text},
        LR_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(all); i++) {
        assert_string_equal(lr_status_name(all[i].status), all[i].name);
        assert_string_equal(lr_status_text(all[i].status), all[i].text);
        assert_true(strlen(all[i].text) > 0);
        assert_int_equal(lr_status_class(all[i].status), (int)all[i].status / -100);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(all[i].status, all[j].status);
    }
}

static void classes_of_known_statuses_are_as_documented(void **state)
{
    (void)state;
    assert_int_equal(lr_status_class(LR_OK), LR_CLASS_OK);
    assert_int_equal(lr_status_class(LR_EINVAL), LR_CLASS_USAGE);
    assert_int_equal(lr_status_class(LR_ERANDOM), LR_CLASS_SYSTEM);
    assert_int_equal(lr_status_class(LR_EPEERCERT), LR_CLASS_TLS_LOCAL);
    assert_int_equal(lr_status_class(LR_ERESET), LR_CLASS_TLS_PEER);
    assert_int_equal(lr_status_class(LR_EAGAIN), LR_CLASS_LIMIT);
    assert_int_equal(lr_status_class(LR_EABORTED), LR_CLASS_GONE);
}

static void number_that_is_no_status_is_said_to_be_none(void **state)
{
    static const int numbers[] = {1, -1, -99, -199, -699, -700, -12345, INT32_MAX, INT32_MIN};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(numbers); i++) {
        assert_string_equal(lr_status_name((lr_status)numbers[i]), "LR_E?");
        assert_string_equal(lr_status_text((lr_status)numbers[i]), "not a status of this library");
    }
    assert_int_equal(lr_status_class((lr_status)-99), LR_CLASS_USAGE);
    assert_int_equal(lr_status_class((lr_status)1), LR_CLASS_USAGE);
    assert_int_equal(lr_status_class((lr_status)-700), LR_CLASS_USAGE);
    assert_int_equal(lr_status_class((lr_status)-399), LR_CLASS_TLS_LOCAL);
}

static void fail_fills_the_error_and_returns_the_status(void **state)
{
    lr_error err;

    (void)state;
    memset(&err, 0xa5, sizeof err);
    assert_int_equal(lr__fail(&err, LR_EFILE, "%s: line %d", "a.pem", 3), LR_EFILE);
    assert_int_equal(err.status, LR_EFILE);
    assert_int_equal(err.sys, 0);
    assert_int_equal(err.tls_alert, -1);
    assert_int_equal(err.tls_native, 0);
    assert_string_equal(err.text, "a.pem: line 3");
}

static void fail_without_an_error_only_returns_the_status(void **state)
{
    (void)state;
    assert_int_equal(lr__fail(NULL, LR_ENOMEM, "%d", 1), LR_ENOMEM);
    assert_int_equal(lr__fail_sys(NULL, LR_ESYSTEM, EPERM, "%d", 1), LR_ESYSTEM);
}

static void fail_cuts_a_long_text(void **state)
{
    char path[400];
    lr_error err;

    (void)state;
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    (void)lr__fail(&err, LR_EFILE, "%s", path);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void fail_sys_names_the_errno(void **state)
{
    lr_error err;

    (void)state;
    assert_int_equal(lr__fail_sys(&err, LR_EADDRINUSE, EADDRINUSE, "bind %s:%d", "::1", 443),
                     LR_EADDRINUSE);
    assert_int_equal(err.status, LR_EADDRINUSE);
    assert_int_equal(err.sys, EADDRINUSE);
    assert_int_equal(err.tls_alert, -1);
    assert_string_equal(err.text, "bind ::1:443: EADDRINUSE (Address already in use)");
}

static void fail_sys_cuts_the_message_and_keeps_the_cause(void **state)
{
    static const char tail[] = ": ENOENT (No such file or directory)";
    char path[400];
    lr_error err;

    (void)state;
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    (void)lr__fail_sys(&err, LR_EFILE, ENOENT, "%s", path);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_string_equal(err.text + strlen(err.text) - strlen(tail), tail);
}

static void every_errno_fits_the_text(void **state)
{
    lr_error err;

    (void)state;
    for (int sys = 0; sys < 200; sys++) {
        (void)lr__fail_sys(&err, LR_ESYSTEM, sys, "%0150d", 1);
        assert_non_null(memchr(err.text, '\0', sizeof err.text));
        assert_non_null(strstr(err.text, lr__errno_name(sys)));
        assert_int_equal(err.text[strlen(err.text) - 1], ')');
    }
}

static void unknown_errno_is_a_question_mark(void **state)
{
    lr_error err;

    (void)state;
    assert_string_equal(lr__errno_name(ECONNRESET), "ECONNRESET");
    assert_string_equal(lr__errno_name(0), "E?");
    assert_string_equal(lr__errno_name(-1), "E?");
    assert_string_equal(lr__errno_name(99999), "E?");
    (void)lr__fail_sys(&err, LR_ESYSTEM, 99999, "odd");
    assert_string_equal(err.text, "odd: E? (99999)");
}

typedef struct options {
    size_t size;
    uint32_t first, second;
    void *third;
} options;

typedef struct newer_options {
    options known;
    uint64_t unknown[2];
} newer_options;

static options adopted_from(const void *from)
{
    lr_error err;
    options to;

    memset(&to, 0xa5, sizeof to);
    assert_int_equal(lr__options_adopt(&to, sizeof to, from, "lr_test_options", &err), LR_OK);
    return to;
}

static void options_of_the_same_size_are_copied(void **state)
{
    options from = {sizeof from, 1, 2, &from};
    options to = adopted_from(&from);

    (void)state;
    assert_int_equal(to.first, 1);
    assert_int_equal(to.second, 2);
    assert_ptr_equal(to.third, &from);
}

static void options_of_an_older_caller_leave_the_rest_zero(void **state)
{
    options from = {offsetof(options, second), 1, 2, &from};
    options to = adopted_from(&from);

    (void)state;
    assert_int_equal(to.first, 1);
    assert_int_equal(to.second, 0);
    assert_null(to.third);
    from.size = sizeof from.size;
    to = adopted_from(&from);
    assert_int_equal(to.first, 0);
}

static void options_of_a_newer_caller_pass_if_the_tail_is_zero(void **state)
{
    newer_options from = {.known = {sizeof from, 1, 2, NULL}};
    options to = adopted_from(&from);

    (void)state;
    assert_int_equal(to.first, 1);
    assert_int_equal(to.second, 2);
}

static void assert_refused(const void *from, const char *text)
{
    static const options zero;
    lr_error err;
    options to;

    memset(&to, 0xa5, sizeof to);
    assert_int_equal(lr__options_adopt(&to, sizeof to, from, "lr_test_options", &err), LR_EOPTION);
    assert_int_equal(err.status, LR_EOPTION);
    assert_non_null(strstr(err.text, "lr_test_options: "));
    assert_non_null(strstr(err.text, text));
    assert_memory_equal(&to, &zero, sizeof to);
    assert_int_equal(lr__options_adopt(&to, sizeof to, from, "lr_test_options", NULL), LR_EOPTION);
}

static void option_that_this_library_does_not_know_is_refused(void **state)
{
    newer_options from = {.known = {sizeof from, 1, 2, NULL}};

    (void)state;
    for (size_t byte = sizeof from.known; byte < sizeof from; byte++) {
        ((unsigned char *)&from)[byte] = 1;
        assert_refused(&from, "is set, but this library knows only");
        ((unsigned char *)&from)[byte] = 0;
    }
    adopted_from(&from);
}

static void options_without_a_size_are_refused(void **state)
{
    options from = {0, 1, 2, NULL};

    (void)state;
    assert_refused(&from, "size 0 is not");
    from.size = sizeof from.size - 1;
    assert_refused(&from, "size 7 is not");
    assert_refused(NULL, "no options given");
}

static void options_with_a_size_never_set_are_refused_unread(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    options *from;

    (void)state;
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    from = (options *)(void *)(pages + page - sizeof *from);
    from->size = SIZE_MAX;
    assert_refused(from, "is not that of");
    from->size = 65537;
    assert_refused(from, "is not that of");
    munmap(pages, 2 * page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_name_its_text_and_its_class),
        cmocka_unit_test(classes_of_known_statuses_are_as_documented),
        cmocka_unit_test(number_that_is_no_status_is_said_to_be_none),
        cmocka_unit_test(fail_fills_the_error_and_returns_the_status),
        cmocka_unit_test(fail_without_an_error_only_returns_the_status),
        cmocka_unit_test(fail_cuts_a_long_text),
        cmocka_unit_test(fail_sys_names_the_errno),
        cmocka_unit_test(fail_sys_cuts_the_message_and_keeps_the_cause),
        cmocka_unit_test(every_errno_fits_the_text),
        cmocka_unit_test(unknown_errno_is_a_question_mark),
        cmocka_unit_test(options_of_the_same_size_are_copied),
        cmocka_unit_test(options_of_an_older_caller_leave_the_rest_zero),
        cmocka_unit_test(options_of_a_newer_caller_pass_if_the_tail_is_zero),
        cmocka_unit_test(option_that_this_library_does_not_know_is_refused),
        cmocka_unit_test(options_without_a_size_are_refused),
        cmocka_unit_test(options_with_a_size_never_set_are_refused_unread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
