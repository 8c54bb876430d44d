/* SPDX-License-Identifier: MIT */
#include "tools/serve_values.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RATE_MAX = 1000000 };

bool serve_wrong(const char *format, ...)
{
    va_list args;

    (void)fputs("lockring-serve: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return false;
}

bool serve_read_number(const char *name, const char *value, uint64_t min, uint64_t max,
                       uint32_t *out)
{
    uint64_t number;
    char *end;

    errno = 0;
    number = strtoull(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || number < min || number > max)
        return serve_wrong("%s: '%s' is not a number from %llu to %llu", name, value,
                           (unsigned long long)min, (unsigned long long)max);
    *out = (uint32_t)number;
    return true;
}

bool serve_read_word(const char *name, const char *value, const serve_word *words, size_t count,
                     int *out)
{
    char all[80];
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i].text, value) == 0) {
            *out = words[i].value;
            return true;
        }
        len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i > 0 ? ", " : "",
                                words[i].text);
    }
    return serve_wrong("%s: '%s' is none of %s", name, value, all);
}

/* The PORT behind a colon. */
static bool read_port(const char *name, const char *value, const char *digits, uint16_t *out)
{
    unsigned long port = strtoul(digits, NULL, 10);

    if (*digits == '\0' || strlen(digits) > 5 || strspn(digits, "0123456789") != strlen(digits) ||
        port > UINT16_MAX)
        return serve_wrong("%s: '%s' has no port from 0 to 65535", name, value);
    *out = (uint16_t)port;
    return true;
}

bool serve_read_host_port(serve_listen *listen, const char *name, const char *value)
{
    const char *colon = strrchr(value, ':'), *host = value;
    size_t len;

    if (!colon)
        return serve_wrong("%s: '%s' is not HOST:PORT", name, value);
    len = (size_t)(colon - value);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
        if (len == 0)
            return serve_wrong("%s: '%s' has no address in its brackets", name, value);
    } else if (memchr(host, ':', len)) {
        return serve_wrong("%s: '%s' needs brackets around an IPv6 address, [::1]:8443", name,
                           value);
    }
    if (len > SERVE_HOST_MAX)
        return serve_wrong("%s: '%.80s...' has a host of more than %d bytes", name, value,
                           SERVE_HOST_MAX);
    memcpy(listen->host, host, len);
    listen->host[len] = '\0';
    return read_port(name, value, colon + 1, &listen->port);
}

bool serve_read_rate(const char *name, const char *value, uint32_t *rate, uint32_t *burst)
{
    unsigned long long numbers[2] = {0, 0};
    char *end;

    for (int i = 0; i < 2; i++) {
        const char *digits = i == 0 ? value : end + 1;

        if (i == 1 && *end == '\0')
            break;
        errno = 0;
        numbers[i] = strtoull(digits, &end, 10);
        if (*digits < '0' || *digits > '9' || errno != 0 || numbers[i] < 1 ||
            numbers[i] > RATE_MAX || (*end != '\0' && (i == 1 || *end != '/')))
            return serve_wrong("%s: '%s' is not RATE or RATE/BURST, each from 1 to %d", name, value,
                               RATE_MAX);
    }
    *rate = (uint32_t)numbers[0];
    *burst = (uint32_t)numbers[1];
    return true;
}
