/* SPDX-License-Identifier: MIT */
/* live_file.c: files that are opened, asked and read on a worker's ring. */
#include "client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KB = 1024, SIZE = 300 * KB + 7, SEED = 13, MANY = 300 };

/* Where a file is closed. */
typedef enum stage {
    STAGE_NEVER,
    STAGE_OPENING,
    STAGE_OPENED, /* inside opened */
    STAGE_READING,
    STAGE_GOT, /* inside got */
    STAGE_COUNT
} stage;

typedef struct play {
    live_events events;
    lr_workers *workers;
    char directory[64];
    int directory_fd;
    int fds; /* descriptors of the process before it all */
} play;

typedef struct reader {
    play *p;
    const char *path;
    bool beneath;
    stage close_at;
    lr_file *file;
    uint64_t at;
    size_t chunk; /* of each read; 0: none is made */
    bool wrong;
    lr_file_info info;
    lr_status status;
    int sys;
} reader;

static int count_fds(void)
{
    DIR *all = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(all);
    while (readdir(all))
        count++;
    (void)closedir(all);
    return count;
}

static void in_directory(const play *p, const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", p->directory, name);
}

static void write_file(const play *p, const char *name, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    char path[128];
    FILE *file;

    assert_non_null(bytes);
    pattern_fill(SEED, 0, bytes, size);
    in_directory(p, name, path);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(bytes);
}

static void link_to(const play *p, const char *target, const char *name)
{
    char path[128];

    in_directory(p, name, path);
    assert_int_equal(symlink(target, path), 0);
}

static void play_open(play *p, void **state)
{
    live_plan plan = {.ring = live_ring(state), .worker_count = 1};
    char path[128];

    memset(p, 0, sizeof(*p));
    live_events_init(&p->events);
    p->fds = count_fds();
    p->workers = live_workers(&plan);
    (void)snprintf(p->directory, sizeof(p->directory), "/tmp/lockring_file_XXXXXX");
    assert_non_null(mkdtemp(p->directory));
    p->directory_fd = open(p->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(p->directory_fd > 0);
    in_directory(p, "sub", path);
    assert_int_equal(mkdir(path, 0700), 0);
    in_directory(p, "fifo", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    write_file(p, "file", SIZE);
    write_file(p, "empty", 0);
    write_file(p, "sub/file", 10);
    link_to(p, "file", "inside");
    link_to(p, "/etc/passwd", "absolute");
    link_to(p, "../..", "sub/above");
    link_to(p, "loop", "loop");
    live_run(p->workers);
}

static void play_close(play *p)
{
    static const char *const all[] = {"file",     "empty", "sub/file", "sub/above", "inside",
                                      "absolute", "loop",  "fifo",     "sub"};
    char path[128];

    lr_workers_stop(p->workers, LR_NONE);
    lr_workers_join(p->workers);
    lr_workers_free(p->workers);
    (void)close(p->directory_fd);
    assert_int_equal(count_fds(), p->fds);
    for (size_t i = 0; i < LIVE_COUNT_OF(all); i++) {
        in_directory(p, all[i], path);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(rmdir(p->directory), 0);
    live_events_fini(&p->events);
}

static void close_here(reader *r)
{
    lr_file_close(r->file);
    r->file = NULL;
}

static void on_got(lr_file *file, lr_status status, int sys, lr_slice bytes, void *user);

static void read_next(reader *r)
{
    lr_status status = lr_file_read(r->file, r->at, r->chunk, on_got);

    r->wrong |= status != LR_OK;
    /* One request at a time. */
    r->wrong |= lr_file_read(r->file, r->at, r->chunk, on_got) != LR_ESTATE;
    if (r->close_at == STAGE_READING)
        close_here(r);
    if (r->close_at == STAGE_READING)
        live_note(&r->p->events, "closed");
}

static void on_got(lr_file *file, lr_status status, int sys, lr_slice bytes, void *user)
{
    reader *r = user;

    r->status = status;
    r->sys = sys;
    r->wrong |= file != r->file || bytes.len > r->chunk || (status != LR_OK && bytes.len != 0) ||
                !pattern_fits(SEED, r->at, bytes.bytes, bytes.len);
    r->at += bytes.len;
    if (r->close_at == STAGE_GOT) {
        close_here(r);
        live_note(&r->p->events, "closed");
    } else if (status == LR_OK && bytes.len != 0) {
        read_next(r);
    } else {
        live_note(&r->p->events, "over");
    }
}

static void on_opened(lr_file *file, lr_status status, int sys, const lr_file_info *info,
                      void *user)
{
    reader *r = user;

    r->status = status;
    r->sys = sys;
    r->wrong |= file != r->file || (info != NULL) != (status == LR_OK);
    if (info)
        r->info = *info;
    if (r->close_at == STAGE_OPENED) {
        close_here(r);
        live_note(&r->p->events, "closed");
    } else if (status == LR_OK && r->chunk != 0) {
        read_next(r);
    } else {
        r->wrong |= status != LR_OK && lr_file_read(file, 0, 1, on_got) != LR_ESTATE;
        live_note(&r->p->events, "over");
    }
}

static void begin(lr_worker *w, void *arg)
{
    reader *r = arg;
    char path[128];
    lr_file_options options = {LR_FILE_OPTIONS, .path = path,
                               .directory = r->beneath ? r->p->directory_fd : 0};

    if (r->beneath)
        (void)snprintf(path, sizeof(path), "%s", r->path);
    else
        in_directory(r->p, r->path, path);
    r->wrong |= lr_file_open(w, &options, on_opened, r, &r->file) != LR_OK;
    memset(path, 'x', sizeof(path)); /* it was copied */
    r->wrong |= lr_file_read(r->file, 0, 1, on_got) != LR_ESTATE;
    if (r->close_at == STAGE_OPENING) {
        close_here(r);
        live_note(&r->p->events, "closed");
    }
}

static void end(lr_worker *w, void *arg)
{
    (void)w;
    close_here(arg);
}

/* Opens and reads to the end, or to where it fails. */
static void go_through(play *p, reader *r)
{
    r->p = p;
    live_on_worker(p->workers, 0, begin, r);
    assert_true(live_await(&p->events, "over"));
    live_on_worker(p->workers, 0, end, r);
    live_events_clear(&p->events);
    assert_false(r->wrong);
}

static void a_file_is_read_whole_in_pieces_of_every_size(void **state)
{
    const size_t chunks[] = {LR_FILE_READ_MAX, 1000, 4096, 16384};
    struct stat real;
    char path[128];
    play p;

    play_open(&p, state);
    in_directory(&p, "file", path);
    assert_int_equal(stat(path, &real), 0);
    for (size_t i = 0; i < 2 * LIVE_COUNT_OF(chunks); i++) {
        reader r = {.path = "file", .chunk = chunks[i / 2], .beneath = i % 2 != 0};

        go_through(&p, &r);
        assert_int_equal(r.status, LR_OK);
        assert_int_equal(r.at, SIZE);
        assert_int_equal(r.info.size, SIZE);
        assert_int_equal(r.info.inode, real.st_ino);
        assert_int_equal(r.info.modified_s, real.st_mtim.tv_sec);
        assert_int_equal(r.info.modified_ns, real.st_mtim.tv_nsec);
        assert_true(r.info.is_regular && !r.info.is_directory);
    }
    play_close(&p);
}

static void behind_the_end_of_a_file_there_is_nothing(void **state)
{
    const uint64_t offsets[] = {SIZE,      SIZE + 1,       INT64_MAX - 5,
                                INT64_MAX, UINT64_MAX - 1, UINT64_MAX};
    reader empty = {.path = "empty", .chunk = 10};
    play p;

    play_open(&p, state);
    for (size_t i = 0; i < LIVE_COUNT_OF(offsets); i++) {
        reader r = {.path = "file", .chunk = LR_FILE_READ_MAX, .at = offsets[i]};

        go_through(&p, &r);
        assert_int_equal(r.status, LR_OK);
        assert_true(r.at == offsets[i]);
    }
    go_through(&p, &empty);
    assert_int_equal(empty.status, LR_OK);
    assert_int_equal(empty.at, 0);
    play_close(&p);
}

static void what_cannot_be_opened_says_why(void **state)
{
    const struct {
        const char *path;
        int sys;
    } cases[] = {{"missing", ENOENT}, {"file/x", ENOTDIR}, {"loop", ELOOP}, {"", ENOENT}};
    play p;

    play_open(&p, state);
    for (size_t i = 0; i < LIVE_COUNT_OF(cases); i++) {
        reader r = {.path = cases[i].path, .beneath = true};

        go_through(&p, &r);
        assert_int_equal(r.status, LR_EFILE);
        assert_int_equal(r.sys, cases[i].sys);
    }
    play_close(&p);
}

static void beneath_a_directory_nothing_leads_outside(void **state)
{
    static const char *const out[] = {"..",          "../x",      "/etc/passwd",
                                      "absolute",    "sub/above", "sub/above/tmp",
                                      "sub/../../x", "/",         "//etc/passwd"};
    static const char *const in[] = {"file", "inside", "sub/../file", "./sub/file", "sub//file"};
    play p;

    play_open(&p, state);
    for (size_t i = 0; i < LIVE_COUNT_OF(out); i++) {
        reader r = {.path = out[i], .beneath = true, .chunk = 10};

        go_through(&p, &r);
        if (r.status != LR_EFILE || r.sys != EXDEV)
            fail_msg("%s: %s %d", out[i], lr_status_name(r.status), r.sys);
    }
    for (size_t i = 0; i < LIVE_COUNT_OF(in); i++) {
        reader r = {.path = in[i], .beneath = true, .chunk = 1000};

        go_through(&p, &r);
        assert_int_equal(r.status, LR_OK);
        assert_true(r.at == SIZE || r.at == 10);
    }
    play_close(&p);
}

static void a_directory_is_told_as_one_and_is_not_read(void **state)
{
    reader r = {.path = "sub", .chunk = 100};
    play p;

    play_open(&p, state);
    go_through(&p, &r);
    assert_true(r.info.is_directory && !r.info.is_regular);
    assert_int_equal(r.status, LR_EFILE);
    assert_int_equal(r.sys, EISDIR);
    play_close(&p);
}

/* A pipe that nobody writes to would wait in open() and in read(). */
static void a_pipe_does_not_hang(void **state)
{
    reader r = {.path = "fifo", .chunk = 100};
    play p;

    play_open(&p, state);
    go_through(&p, &r);
    assert_false(r.info.is_regular || r.info.is_directory);
    assert_int_equal(r.at, 0);
    play_close(&p);
}

static void a_file_may_be_closed_at_every_stage(void **state)
{
    for (stage at = STAGE_OPENING; at < STAGE_COUNT; at++) {
        play p;

        play_open(&p, state);
        for (int i = 0; i < 10; i++) {
            reader r = {
                .p = &p, .path = i % 2 != 0 ? "file" : "missing", .chunk = 1000, .close_at = at};

            if (at > STAGE_OPENED)
                r.path = "file";
            live_on_worker(p.workers, 0, begin, &r);
            assert_true(live_await(&p.events, "closed"));
            live_events_clear(&p.events);
            assert_false(r.wrong);
        }
        assert_true(live_await_quiet(&p.events, 20));
        live_expect(&p.events, ""); /* no callback followed */
        play_close(&p);
    }
}

/* One is open, one failed, one is being opened or read when the worker ends. */
static void a_worker_that_ends_closes_what_is_open(void **state)
{
    for (int i = 0; i < 10; i++) {
        reader ready = {.path = "file"}, failed = {.path = "missing"};
        reader reading = {.path = "file", .chunk = 16};
        play p;

        play_open(&p, state);
        ready.p = failed.p = reading.p = &p;
        live_on_worker(p.workers, 0, begin, &ready);
        assert_true(live_await(&p.events, "over"));
        live_on_worker(p.workers, 0, begin, &failed);
        live_on_worker(p.workers, 0, begin, &reading);
        play_close(&p);
        assert_false(ready.wrong || failed.wrong || reading.wrong);
    }
}

static void many_files_are_read_at_once(void **state)
{
    reader *all = calloc(MANY, sizeof(*all));
    play p;

    assert_non_null(all);
    play_open(&p, state);
    for (size_t i = 0; i < MANY; i++) {
        all[i] = (reader){.p = &p, .path = "file", .chunk = 60000 + i};
        live_on_worker(p.workers, 0, begin, &all[i]);
    }
    for (size_t i = 0; i < MANY; i++) { /* each has noted "over" when the worker was through */
        while (all[i].file && !live_await_quiet(&p.events, 50))
            ;
        live_on_worker(p.workers, 0, end, &all[i]);
        assert_false(all[i].wrong);
    }
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(all[i].at, SIZE);
    play_close(&p);
    free(all);
}

static void open_badly(lr_worker *w, void *arg)
{
    lr_file_options bad = {.size = 1};
    lr_file *file = NULL;
    play *p = arg;

    live_note(&p->events, "%s", lr_status_name(lr_file_open(w, &bad, on_opened, NULL, &file)));
    live_note(&p->events, "%d", file != NULL);
    lr_file_close(NULL);
}

static void bad_options_open_nothing(void **state)
{
    play p;

    play_open(&p, state);
    live_on_worker(p.workers, 0, open_badly, &p);
    live_expect(&p.events, "LR_EOPTION 0 ");
    play_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(a_file_is_read_whole_in_pieces_of_every_size),
        LIVE_TEST(behind_the_end_of_a_file_there_is_nothing),
        LIVE_TEST(what_cannot_be_opened_says_why),
        LIVE_TEST(beneath_a_directory_nothing_leads_outside),
        LIVE_TEST(a_directory_is_told_as_one_and_is_not_read),
        LIVE_TEST(a_pipe_does_not_hang),
        LIVE_TEST(a_file_may_be_closed_at_every_stage),
        LIVE_TEST(a_worker_that_ends_closes_what_is_open),
        LIVE_TEST(many_files_are_read_at_once),
        LIVE_TEST(bad_options_open_nothing),
    };

    return LIVE_MAIN(tests);
}
