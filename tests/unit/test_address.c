/* SPDX-License-Identifier: MIT */
#include "tests/unit/support.h"

#include "core/io/address.h"

#include <lockring/base.h>

#include <netinet/in.h>
#include <sys/un.h>

static void assert_text(const struct sockaddr_storage *address, socklen_t len, const char *want)
{
    char text[LR__ADDRESS_TEXT_MAX];

    lr__address_text(address, len, text, sizeof(text));
    assert_string_equal(text, want);
}

static void numbers_are_addresses(void **state)
{
    struct sockaddr_storage address;
    lr_error err = {0};
    socklen_t len;

    (void)state;
    assert_int_equal(lr__address_numeric("127.0.0.1", 8443, &address, &len, &err), LR_OK);
    assert_int_equal(len, sizeof(struct sockaddr_in));
    assert_int_equal(lr__address_port(&address), 8443);
    assert_text(&address, len, "127.0.0.1:8443");
    assert_int_equal(lr__address_numeric("2001:db8::1", 65535, &address, &len, &err), LR_OK);
    assert_int_equal(len, sizeof(struct sockaddr_in6));
    assert_text(&address, len, "[2001:db8::1]:65535");
    assert_int_equal(lr__address_resolve("::1", 0, &address, &len, &err), LR_OK);
    assert_text(&address, len, "[::1]:0");
}

/* No resolver is asked, not even for what /etc/hosts has. */
static void names_are_no_numbers(void **state)
{
    static const char *const names[] = {"localhost", "example.com", "", "1.2.3.4.5", "127.0.0.1:1"};
    struct sockaddr_storage address;
    socklen_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        lr_error err = {0};

        assert_int_equal(lr__address_numeric(names[i], 1, &address, &len, &err), LR_EADDRESS);
        assert_int_equal(err.status, LR_EADDRESS);
        assert_non_null(strstr(err.text, names[i]));
    }
}

static void a_path_is_an_address(void **state)
{
    struct sockaddr_storage address;
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address;
    lr_error err = {0};
    socklen_t len;

    (void)state;
    assert_int_equal(lr__address_unix("/run/x.sock", &address, &len, &err), LR_OK);
    assert_int_equal(un->sun_family, AF_UNIX);
    assert_string_equal(un->sun_path, "/run/x.sock");
    assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + sizeof("/run/x.sock"));
    assert_text(&address, len, "unix:/run/x.sock");
    assert_int_equal(lr__address_port(&address), 0);

    assert_int_equal(lr__address_unix("@name", &address, &len, &err), LR_OK);
    assert_memory_equal(un->sun_path, "\0name", 5);
    assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 5);
    assert_text(&address, len, "unix:@name");
    assert_text(&address, sizeof(*un), "unix:@name"); /* with a length that says too much */

    memset(&address, 0, sizeof(address));
    address.ss_family = AF_UNIX;
    assert_text(&address, sizeof(sa_family_t), "unix:");
    assert_text(&address, sizeof(*un), "unix:");
}

static void a_path_has_a_limit(void **state)
{
    char path[110], want[120] = "unix:";
    struct sockaddr_storage address;
    struct sockaddr_un *un = (struct sockaddr_un *)&address;
    lr_error err = {0};
    socklen_t len;

    (void)state;
    memset(path, 'p', sizeof(path));
    path[107] = '\0';
    assert_int_equal(lr__address_unix(path, &address, &len, &err), LR_OK);
    assert_int_equal(len, sizeof(*un));
    memcpy(want + 5, path, 108);
    assert_text(&address, len, want);
    un->sun_path[107] = 'q'; /* as the kernel may give it: without a terminator */
    want[5 + 107] = 'q';
    assert_text(&address, sizeof(*un), want);
    path[107] = 'p';
    path[108] = '\0';
    assert_int_equal(lr__address_unix(path, &address, &len, &err), LR_EADDRESS);
    assert_non_null(strstr(err.text, "108 bytes"));
    assert_non_null(strstr(err.text, "at most 107"));
    assert_int_equal(lr__address_unix("", &address, &len, &err), LR_EADDRESS);
    assert_int_equal(lr__address_unix("@", &address, &len, &err), LR_EADDRESS);
    assert_non_null(strstr(err.text, "empty"));
}

static void a_text_is_cut_to_fit(void **state)
{
    struct sockaddr_storage address;
    char text[8];
    socklen_t len;

    (void)state;
    assert_int_equal(lr__address_unix("/run/x.sock", &address, &len, NULL), LR_OK);
    lr__address_text(&address, len, text, sizeof(text));
    assert_string_equal(text, "unix:/r");
    address.ss_family = AF_UNSPEC;
    assert_text(&address, len, "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_addresses), cmocka_unit_test(names_are_no_numbers),
        cmocka_unit_test(a_path_is_an_address),  cmocka_unit_test(a_path_has_a_limit),
        cmocka_unit_test(a_text_is_cut_to_fit),
    };

    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
