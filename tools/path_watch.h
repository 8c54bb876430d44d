/* SPDX-License-Identifier: MIT */
/* tools/path_watch.h: waits for a change of what a path leads to.
 *
 * A file is seldom written: another one takes its name, or a symbolic link on the way to it leads
 * elsewhere, as ..data does in a volume of Kubernetes. So what is watched is every directory in
 * which a part of the path is looked up, across links, and a change there may be about something
 * else: read again and compare. Open it before reading; after a change close it and begin anew,
 * because the way may be another one then. */
#ifndef LR_TOOLS_PATH_WATCH_H
#define LR_TOOLS_PATH_WATCH_H

#include <stdbool.h>

/* A file, or a directory with all files in it. The descriptor becomes readable at a change and is
 * the caller's; below 0: errno tells. */
int path_watch_open(const char *path);

typedef enum path_watch_end {
    PATH_WATCH_CHANGED,
    PATH_WATCH_STOPPED /* stop_fd became readable */
} path_watch_end;

/* Waits for a change, and then until nothing has changed for a moment, but not for ever: whoever
 * writes three files is heard once. fd below 0: waits for stop_fd only. */
path_watch_end path_watch_wait(int fd, int stop_fd);

#endif
