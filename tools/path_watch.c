/* SPDX-License-Identifier: MIT */
#include "tools/path_watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40, QUIET_MS = 100, PATIENCE_ROUNDS = 10 };

/* A name in it changes, or the content or mode of what is behind a name. */
#define ENTRIES                                                                                    \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR)
/* It goes itself, and another one may take its place. */
#define ITSELF (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* The way to a file: where it has come to, and what is left of it. */
typedef struct way {
    int fd;
    int links; /* that were followed */
    char at[PATH_MAX], rest[PATH_MAX];
} way;

static void watch(const way *w, const char *directory, unsigned what)
{
    /* What cannot be watched because it is gone is noticed where its name was. */
    (void)inotify_add_watch(w->fd, directory, what | IN_MASK_ADD);
}

/* at/name, in the space of out. */
static bool join(char out[PATH_MAX], const char *at, const char *name)
{
    return (size_t)snprintf(out, PATH_MAX, "%s%s%s", at, at[strlen(at) - 1] == '/' ? "" : "/",
                            name) < PATH_MAX;
}

/* The next name of the rest, cut off. False: there is none. */
static bool take_name(way *w, char name[NAME_MAX + 1])
{
    const char *from = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(from, "/");

    if (len == 0 || len > NAME_MAX)
        return false;
    memcpy(name, from, len);
    name[len] = '\0';
    memmove(w->rest, from + len, strlen(from + len) + 1);
    return true;
}

/* A symbolic link: what it says takes its place. */
static bool follow(way *w, const char *path)
{
    char target[PATH_MAX], joined[PATH_MAX];
    ssize_t len = readlink(path, target, sizeof(target) - 1);

    if (len <= 0 || ++w->links > LINKS_MAX)
        return false;
    target[len] = '\0';
    if (!join(joined, target, w->rest))
        return false;
    memcpy(w->rest, joined, strlen(joined) + 1);
    if (*target == '/')
        memcpy(w->at, "/", 2);
    return true;
}

static void walk(int fd, const char *path)
{
    way w = {.fd = fd, .links = 0};
    char name[NAME_MAX + 1], next[PATH_MAX];
    struct stat st;

    if (strlen(path) >= sizeof(w.rest))
        return;
    memcpy(w.rest, path, strlen(path) + 1);
    memcpy(w.at, *path == '/' ? "/" : ".", 2);
    while (take_name(&w, name) && join(next, w.at, name)) {
        watch(&w, w.at, ITSELF);
        if (lstat(next, &st) != 0 || !S_ISDIR(st.st_mode))
            watch(&w, w.at, ENTRIES); /* it may come, or lead elsewhere, or be another one */
        if (lstat(next, &st) != 0)
            return;
        if (S_ISLNK(st.st_mode)) {
            if (!follow(&w, next))
                return;
        } else if (S_ISDIR(st.st_mode)) {
            memcpy(w.at, next, strlen(next) + 1);
        } else {
            return;
        }
    }
    watch(&w, w.at, ENTRIES | ITSELF); /* a directory of files */
}

int path_watch_open(const char *path)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char file[PATH_MAX];
    struct dirent *entry;
    DIR *directory;

    if (fd < 0)
        return fd;
    walk(fd, path);
    directory = opendir(path);
    if (!directory)
        return fd;
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] != '.' && entry->d_type != DT_REG && join(file, path, entry->d_name))
            walk(fd, file);
    }
    (void)closedir(directory);
    return fd;
}

static void drain(int fd)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

    ssize_t len;

    do {
        len = read(fd, events, sizeof(events));
    } while (len > 0);
}

path_watch_end path_watch_wait(int fd, int stop_fd)
{
    struct pollfd on[2] = {{.fd = stop_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int timeout_ms = -1, rounds = 0, ready;

    while ((ready = poll(on, 2, timeout_ms)) != 0 && rounds < PATIENCE_ROUNDS) {
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0 || on[0].revents != 0)
            return PATH_WATCH_STOPPED;
        drain(fd);
        timeout_ms = QUIET_MS;
        rounds++;
    }
    return PATH_WATCH_CHANGED;
}
