/* SPDX-License-Identifier: MIT */
/* Who may send a header of the PROXY protocol: texts, prefixes, and which addresses lie in them. */
#include "support.h"

#include "core/base/compiler.h"
#include "proto/proxy.h"

#include <arpa/inet.h>

static lr_address address_of(const char *text)
{
    lr_address address = {.family = strchr(text, ':') ? LR_FAMILY_IPV6 : LR_FAMILY_IPV4};

    if (strcmp(text, "unix:") == 0)
        address.family = LR_FAMILY_UNIX;
    else
        assert_int_equal(
            inet_pton(address.family == LR_FAMILY_IPV6 ? AF_INET6 : AF_INET, text, address.bytes),
            1);
    return address;
}

static lr_proxy *list_of(const char *const *senders, uint32_t count)
{
    lr_proxy_options options = {LR_PROXY_OPTIONS, .senders = senders, .sender_count = count};
    lr_proxy *p;
    lr_error err;

    if (lr_proxy_new(&options, &p, &err) != LR_OK)
        fail_msg("%s", err.text);
    return p;
}

static void an_address_is_within_its_prefix_and_in_no_other(void **state)
{
    static const struct {
        const char *sender, *address;
        bool inside;
    } cases[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "9.255.255.255", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.4/30", "192.0.2.7", true},
        {"192.0.2.4/30", "192.0.2.8", false},
        {"192.0.2.4", "192.0.2.4", true},
        {"192.0.2.4", "192.0.2.5", false},
        {"192.0.2.4/32", "192.0.2.4", true},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"0.0.0.0/0", "unix:", false},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true}, /* as a listener for both families says it */
        {"10.0.0.0/8", "::ffff:11.1.2.3", false},
        {"10.0.0.0/8", "a00::", false},
        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
        {"::ffff:10.0.0.0/104", "11.1.2.3", false},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::1", "::1", true},
        {"::1/128", "::2", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "10.1.2.3", false},
        {"::/0", "::ffff:10.1.2.3", false},
        {"unix:", "unix:", true},
        {"unix:", "127.0.0.1", false},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++) {
        lr_proxy *p = list_of(&cases[i].sender, 1);
        lr_address address = address_of(cases[i].address);

        if (lr_proxy_is_sender(p, &address) != cases[i].inside)
            fail_msg("%s in %s", cases[i].address, cases[i].sender);
        lr_proxy_free(p);
    }
}

static void any_of_several_senders_is_enough_and_who_is_not_known_is_none(void **state)
{
    static const char *const senders[] = {"10.0.0.0/8", "2001:db8::/32", "192.0.2.1"};
    static const char *const inside[] = {"10.0.0.1", "2001:db8::1", "192.0.2.1"};
    lr_address nobody = {.family = LR_FAMILY_NONE};
    lr_proxy *p = list_of(senders, LR_ARRAY_COUNT(senders));
    lr_address outside = address_of("192.0.2.2");

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(inside); i++) {
        lr_address address = address_of(inside[i]);

        assert_true(lr_proxy_is_sender(p, &address));
    }
    assert_false(lr_proxy_is_sender(p, &outside));
    assert_false(lr_proxy_is_sender(p, &nobody));
    lr_proxy_free(p);
}

static void what_is_no_sender_is_refused_by_its_name(void **state)
{
    static const struct {
        const char *text, *word;
    } wrong[] = {
        {"", "neither"},
        {"/", "neither"},
        {"/8", "neither"},
        {"localhost", "neither"},
        {"10.0.0/8", "neither"},
        {"10.0.0.0.0", "neither"},
        {"010.0.0.0/8", "neither"},
        {"unix", "neither"},
        {"unix:/run/x", "neither"},
        {":::1", "neither"},
        {" 10.0.0.0/8", "neither"},
        {"fe80::1%lo", "neither"},
        {"0000:0000:0000:0000:0000:0000:0000:00000000000000001", "neither"},
        {"10.0.0.0/", "0 to 32"},
        {"10.0.0.0/33", "0 to 32"},
        {"10.0.0.0/08", "0 to 32"},
        {"10.0.0.0/-1", "0 to 32"},
        {"10.0.0.0/8/8", "0 to 32"},
        {"10.0.0.0/8 ", "0 to 32"},
        {"10.0.0.0/0x8", "0 to 32"},
        {"::/129", "0 to 128"},
        {"::/256", "0 to 128"},
        {"10.0.0.1/8", "behind"},
        {"128.0.0.0/0", "behind"},
        {"2001:db8::1/64", "behind"},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(wrong); i++) {
        const char *senders[] = {"10.0.0.0/8", wrong[i].text};
        lr_proxy_options options = {LR_PROXY_OPTIONS, .senders = senders, .sender_count = 2};
        lr_proxy *p;
        lr_error err;

        assert_int_equal(lr_proxy_new(&options, &p, &err), LR_EOPTION);
        assert_null(p);
        assert_non_null(strstr(err.text, wrong[i].text));
        if (!strstr(err.text, wrong[i].word))
            fail_msg("'%s': %s", wrong[i].text, err.text);
    }
}

static void an_empty_list_and_a_wrong_size_are_refused(void **state)
{
    static const char *const senders[] = {"10.0.0.0/8"};
    lr_proxy_options empty = {LR_PROXY_OPTIONS}, unsized = {.senders = senders, .sender_count = 1};
    lr_proxy *p;

    (void)state;
    assert_int_equal(lr_proxy_new(&empty, &p, NULL), LR_EOPTION);
    assert_int_equal(lr_proxy_new(&unsized, &p, NULL), LR_EOPTION);
    assert_int_equal(lr_proxy_new(NULL, &p, NULL), LR_EOPTION);
    lr_proxy_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_within_its_prefix_and_in_no_other),
        cmocka_unit_test(any_of_several_senders_is_enough_and_who_is_not_known_is_none),
        cmocka_unit_test(what_is_no_sender_is_refused_by_its_name),
        cmocka_unit_test(an_empty_list_and_a_wrong_size_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
