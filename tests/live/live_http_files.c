/* SPDX-License-Identifier: MIT */
/* live_http_files.c: files below a root, conditions and ranges, and nothing beside it; long bodies
 * to slow readers. */
#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KB = 1024, MB = 1024 * KB, LONG = 100 * MB, RSS_GROWTH_KB = 2 * KB };

/* A directory of files for one test, and one beside its root. */
typedef struct tree {
    char top[64], root[80];
} tree;

static void path_in(const tree *t, const char *name, char *out, size_t cap)
{
    assert_true((size_t)snprintf(out, cap, "%s/%s", t->top, name) < cap);
}

static void put(const tree *t, const char *name, const char *text)
{
    char path[256];
    int fd;

    path_in(t, name, path, sizeof(path));
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

static void put_long(const tree *t, const char *name, off_t size)
{
    char path[256];

    put(t, name, "");
    path_in(t, name, path, sizeof(path));
    assert_int_equal(truncate(path, size), 0);
}

static void put_directory(const tree *t, const char *name)
{
    char path[256];

    path_in(t, name, path, sizeof(path));
    assert_int_equal(mkdir(path, 0700), 0);
}

static void put_link(const tree *t, const char *name, const char *to)
{
    char path[256];

    path_in(t, name, path, sizeof(path));
    assert_int_equal(symlink(to, path), 0);
}

static void tree_make(tree *t)
{
    const char *base = getenv("TMPDIR");

    assert_true((size_t)snprintf(t->top, sizeof(t->top), "%s/lockring-http-XXXXXX",
                                 base && strlen(base) < 30 ? base : P_tmpdir) < sizeof(t->top));
    assert_non_null(mkdtemp(t->top));
    (void)snprintf(t->root, sizeof(t->root), "%s/root", t->top);
    put_directory(t, "root");
    put(t, "secret", "secret");
    put(t, "root/a.txt", "0123456789");
    put(t, "root/empty", "");
    put_directory(t, "root/dir name");
    put(t, "root/dir name/index.html", "<p>");
    put_directory(t, "root/bare");
}

static void tree_drop(const tree *t)
{
    static const char *const names[] = {"root/dir name/index.html",
                                        "root/dir name",
                                        "root/bare",
                                        "root/a.txt",
                                        "root/empty",
                                        "root/link",
                                        "root/out",
                                        "root/absolute",
                                        "root/up",
                                        "root/closed",
                                        "root/fifo",
                                        "root/index.html",
                                        "root/long",
                                        "secret",
                                        "root"};
    char path[256];

    for (size_t i = 0; i < LIVE_COUNT_OF(names); i++) {
        path_in(t, names[i], path, sizeof(path));
        assert_true(remove(path) == 0 || errno == ENOENT);
    }
    assert_int_equal(rmdir(t->top), 0);
}

static void start(http_server *s, void **state, tree *t, http_client *client)
{
    http_plan plan = {.root = t->root};
    live_plan ring = {.ring = http_where_of(state)->ring};

    lr_workers_free(live_workers(&ring)); /* may skip the test, which has nothing to remove yet */
    tree_make(t);
    http_start(s, state, &plan);
    http_open(client, s);
}

static void stop(http_server *s, const tree *t, http_client *client)
{
    http_close(client);
    http_stop(s);
    tree_drop(t);
}

static void get(http_client *client, const char *target, const char *fields, http_answer *answer)
{
    char request[1024];

    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target,
                   fields);
    http_send(client, request);
    http_read_answer(client, answer, false);
}

static void expect(http_client *client, const char *target, const char *fields, int status,
                   const char *body)
{
    http_answer answer;

    get(client, target, fields, &answer);
    assert_int_equal(answer.status, status);
    if (body)
        assert_string_equal((const char *)answer.body, body);
    http_answer_drop(&answer);
}

static void files_are_served_with_their_type(void **state)
{
    http_client client;
    http_answer answer;
    http_server s;
    tree t;

    start(&s, state, &t, &client);
    get(&client, "/a.txt", "", &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(http_field(&answer, "Content-Type"), "text/plain; charset=utf-8");
    assert_string_equal(http_field(&answer, "Accept-Ranges"), "bytes");
    assert_string_equal((const char *)answer.body, "0123456789");
    http_answer_drop(&answer);
    expect(&client, "/./bare/../a%2etxt?query", "", 200, "0123456789");
    expect(&client, "/empty", "", 200, "");
    http_expect(&client, "HEAD /a.txt HTTP/1.1\r\nHost: a\r\n\r\n", 200, NULL);
    get(&client, "/dir%20name/", "", &answer);
    assert_string_equal(http_field(&answer, "Content-Type"), "text/html; charset=utf-8");
    assert_string_equal((const char *)answer.body, "<p>");
    http_answer_drop(&answer);
    expect(&client, "/bytes/2", "", 200, "lo");
    stop(&s, &t, &client);
}

static void a_directory_is_redirected_to_its_slash(void **state)
{
    http_client client;
    http_answer answer;
    http_server s;
    tree t;

    start(&s, state, &t, &client);
    get(&client, "//dir%20name?x=1", "", &answer);
    assert_int_equal(answer.status, 301);
    assert_string_equal(http_field(&answer, "Location"), "/dir%20name/?x=1");
    http_answer_drop(&answer);
    expect(&client, "/bare/", "", 404, "404 Not Found\n");
    stop(&s, &t, &client);
}

static void the_front_page_is_the_index_of_the_root_if_there_is_one(void **state)
{
    http_client client;
    http_answer answer;
    http_server s;
    tree t;

    start(&s, state, &t, &client);
    get(&client, "/", "", &answer);
    assert_int_equal(answer.status, 200);
    assert_in_range(answer.body_len, 1, 199);
    assert_memory_equal(answer.body, "lockring", 8);
    http_answer_drop(&answer);
    put(&t, "root/index.html", "mine");
    expect(&client, "/", "", 200, "mine");
    stop(&s, &t, &client);
}

static void what_is_no_file_is_refused(void **state)
{
    char path[256];
    http_client client;
    http_answer answer;
    http_server s;
    tree t;

    start(&s, state, &t, &client);
    path_in(&t, "root/fifo", path, sizeof(path));
    assert_int_equal(mkfifo(path, 0600), 0);
    expect(&client, "/fifo", "", 403, NULL);
    expect(&client, "/none", "", 404, NULL);
    expect(&client, "/a.txt/", "", 404, NULL);
    expect(&client, "/a.txt/x", "", 404, NULL);
    expect(&client, "/a%00.txt", "", 400, NULL);
    put(&t, "root/closed", "x");
    path_in(&t, "root/closed", path, sizeof(path));
    assert_int_equal(chmod(path, 0), 0);
    if (geteuid() != 0)
        expect(&client, "/closed", "", 403, NULL);
    http_send(&client, "POST /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    http_read_answer(&client, &answer, false);
    assert_int_equal(answer.status, 405);
    assert_string_equal(http_field(&answer, "Allow"), "GET, HEAD");
    http_answer_drop(&answer);
    stop(&s, &t, &client);
}

static void nothing_outside_the_root_is_served(void **state)
{
    char path[256];
    http_client client;
    http_server s;
    tree t;

    start(&s, state, &t, &client);
    path_in(&t, "secret", path, sizeof(path));
    put_link(&t, "root/absolute", path);
    put_link(&t, "root/out", "../secret");
    put_link(&t, "root/up", "..");
    put_link(&t, "root/link", "dir name/../a.txt");
    expect(&client, "/link", "", 200, "0123456789");
    expect(&client, "/out", "", 404, NULL);
    expect(&client, "/absolute", "", 404, NULL);
    expect(&client, "/up/secret", "", 404, NULL);
    expect(&client, "/up/root/a.txt", "", 404, NULL);
    expect(&client, "/../secret", "", 400, NULL);
    expect(&client, "/%2e%2e/secret", "", 400, NULL);
    expect(&client, "/bare/..%2f..%2fsecret", "", 400, NULL);
    expect(&client, "/bare/../../secret", "", 400, NULL);
    expect(&client, "//etc/passwd", "", 404, NULL);
    expect(&client, path, "", 404, NULL);
    stop(&s, &t, &client);
}

static void conditions_are_kept(void **state)
{
    char fields[256], etag[128], modified[64];
    http_client client;
    http_answer answer;
    http_server s;
    tree t;

    start(&s, state, &t, &client);
    get(&client, "/a.txt", "", &answer);
    (void)snprintf(etag, sizeof(etag), "%s", http_field(&answer, "ETag"));
    (void)snprintf(modified, sizeof(modified), "%s", http_field(&answer, "Last-Modified"));
    assert_int_equal(strlen(modified), 29);
    http_answer_drop(&answer);
    (void)snprintf(fields, sizeof(fields), "If-None-Match: \"x\", %s\r\n", etag);
    get(&client, "/a.txt", fields, &answer);
    assert_int_equal(answer.status, 304);
    assert_string_equal(http_field(&answer, "ETag"), etag);
    assert_string_equal(http_field(&answer, "Content-Length"), "");
    http_answer_drop(&answer);
    expect(&client, "/a.txt", "If-None-Match: \"x\"\r\n", 200, "0123456789");
    (void)snprintf(fields, sizeof(fields), "If-Modified-Since: %s\r\n", modified);
    expect(&client, "/a.txt", fields, 304, NULL);
    expect(&client, "/a.txt", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200, NULL);
    put(&t, "root/a.txt", "changed");
    (void)snprintf(fields, sizeof(fields), "If-None-Match: %s\r\n", etag);
    expect(&client, "/a.txt", fields, 200, "changed");
    (void)snprintf(fields, sizeof(fields), "If-Range: %s\r\nRange: bytes=0-0\r\n", etag);
    expect(&client, "/a.txt", fields, 200, "changed");
    stop(&s, &t, &client);
}

static void ranges_are_cut_out(void **state)
{
    http_client client;
    http_answer answer;
    http_server s;
    tree t;

    start(&s, state, &t, &client);
    get(&client, "/a.txt", "Range: bytes=2-4\r\n", &answer);
    assert_int_equal(answer.status, 206);
    assert_string_equal(http_field(&answer, "Content-Range"), "bytes 2-4/10");
    assert_string_equal(http_field(&answer, "Content-Length"), "3");
    assert_string_equal((const char *)answer.body, "234");
    http_answer_drop(&answer);
    expect(&client, "/a.txt", "Range: bytes=8-\r\n", 206, "89");
    expect(&client, "/a.txt", "Range: bytes=-3\r\n", 206, "789");
    expect(&client, "/a.txt", "Range: bytes=0-1,3-4\r\n", 200, "0123456789");
    get(&client, "/a.txt", "Range: bytes=10-\r\n", &answer);
    assert_int_equal(answer.status, 416);
    assert_string_equal(http_field(&answer, "Content-Range"), "bytes */10");
    assert_string_equal(http_field(&answer, "Content-Length"), "0");
    http_answer_drop(&answer);
    expect(&client, "/a.txt", "", 200, "0123456789");
    stop(&s, &t, &client);
}

static void a_long_file_comes_whole(void **state)
{
    char path[256];
    uint8_t *bytes = malloc(3 * MB + 5);
    http_client client;
    http_answer answer;
    http_server s;
    tree t;
    FILE *file;

    assert_non_null(bytes);
    start(&s, state, &t, &client);
    pattern_fill(3, 0, bytes, 3 * MB + 5);
    path_in(&t, "root/long", path, sizeof(path));
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, 3 * MB + 5, file), 3 * MB + 5);
    assert_int_equal(fclose(file), 0);
    get(&client, "/long", "", &answer);
    assert_int_equal(answer.body_len, 3 * MB + 5);
    assert_true(pattern_fits(3, 0, answer.body, answer.body_len));
    http_answer_drop(&answer);
    get(&client, "/long", "Range: bytes=65536-1100000\r\n", &answer);
    assert_int_equal(answer.body_len, 1100001 - 65536);
    assert_true(pattern_fits(3, 65536, answer.body, answer.body_len));
    http_answer_drop(&answer);
    stop(&s, &t, &client);
    free(bytes);
}

static void a_file_that_shrinks_while_it_is_sent_cuts_the_connection(void **state)
{
    char path[256];
    http_client client;
    http_answer answer;
    http_server s;
    tree t;

    start(&s, state, &t, &client);
    put_long(&t, "root/long", LONG);
    http_send(&client, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
    http_read_head(&client, &answer);
    assert_string_equal(http_field(&answer, "Content-Length"), "104857600");
    path_in(&t, "root/long", path, sizeof(path));
    assert_int_equal(truncate(path, 0), 0);
    http_expect_reset(&client);
    stop(&s, &t, &client);
}

/* The body in pieces, with a pause in which all buffers on the way fill up. How much the process
 * has grown at most. */
static uint64_t read_slowly(http_client *client, http_server *s, const char *target, size_t len)
{
    uint64_t before = live_rss_kb(getpid()), most = before;
    http_answer answer;
    char request[128];

    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
    http_send(client, request);
    http_read_head(client, &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(strtoul(http_field(&answer, "Content-Length"), NULL, 10), len);
    assert_true(live_await_quiet(&s->events, 300));
    while (len > 0) {
        size_t have = client->in_end - client->in_at;
        uint64_t now = live_rss_kb(getpid());

        most = now > most ? now : most;
        if (have == 0) {
            uint8_t byte;

            http_read(client, &byte, 1);
            len--;
            continue;
        }
        client->in_at = client->in_end;
        len -= have;
    }
    return most - before;
}

static void a_slow_reader_costs_no_memory(void **state)
{
    http_client client;
    http_server s;
    tree t;

    if (LIVE_SANITIZED)
        skip();
    start(&s, state, &t, &client);
    put_long(&t, "root/long", LONG);
    (void)read_slowly(&client, &s, "/bytes/8388608", 8 * MB); /* all that is made once is made */
    assert_in_range(read_slowly(&client, &s, "/bytes/104857600", LONG), 0, RSS_GROWTH_KB);
    assert_in_range(read_slowly(&client, &s, "/long", LONG), 0, RSS_GROWTH_KB);
    stop(&s, &t, &client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(files_are_served_with_their_type),
        HTTP_TEST(a_directory_is_redirected_to_its_slash),
        HTTP_TEST(the_front_page_is_the_index_of_the_root_if_there_is_one),
        HTTP_TEST(what_is_no_file_is_refused),
        HTTP_TEST(nothing_outside_the_root_is_served),
        HTTP_TEST(conditions_are_kept),
        HTTP_TEST(ranges_are_cut_out),
        HTTP_TEST(a_long_file_comes_whole),
        HTTP_TEST(a_file_that_shrinks_while_it_is_sent_cuts_the_connection),
        HTTP_TEST(a_slow_reader_costs_no_memory),
    };

    return LIVE_MAIN(tests);
}
