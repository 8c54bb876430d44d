/* SPDX-License-Identifier: MIT */
/* The head is judged line by line, each line once, when its LF is there. A line is first looked for
 * its end within the limits and only then read, so the result does not depend on how the bytes came
 * in. Between calls only offsets are kept; the slices of fields that an earlier call has judged are
 * made anew at the end, from bytes that may by then lie elsewhere. */
#include "proto/http1_parse.h"

#include "proto/http_chars.h"

#include <assert.h>
#include <string.h>

enum {
    EMPTY_LINES_MAX = 2, /* RFC 9112 2.2 asks for one at least */
    METHOD_MAX = 32,
    HOST_MAX = 255,
    VERSION_SIZE = sizeof "HTTP/1.1" - 1
};

static_assert(sizeof(lr_http_parser) < 200, "a waiting connection keeps one");

struct reader {
    lr_http_parser *p;
    lr_http_limits limits;
    lr_slice bytes;
    lr_http_head *head;
    uint32_t first_header; /* those before were judged by an earlier call */
};

static bool refuse(struct reader *r, uint16_t status, const char *reason)
{
    r->p->fault.status = status;
    r->p->fault.reason = reason;
    return false;
}

static uint32_t offset_of(const struct reader *r, lr_slice part)
{
    return (uint32_t)(part.bytes - r->bytes.bytes);
}

static lr_slice part_of(const struct reader *r, uint32_t at, uint32_t len)
{
    return lr_slice_of(r->bytes.bytes + at, len);
}

static bool is_token(lr_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!lr__http_is_token_byte(text.bytes[i]))
            return false;
    }
    return text.len > 0;
}

/* Without an early end, which lets the compiler look at many bytes at once. */
static bool is_value(lr_slice text)
{
    bool is_bad = false;

    for (size_t i = 0; i < text.len; i++)
        is_bad |= !lr__http_is_value_byte(text.bytes[i]);
    return !is_bad;
}

/* Visible ASCII without "#": a fragment is never sent (RFC 9112 3.2). Escapes are left to those who
 * decode them. */
static bool is_target(lr_slice text)
{
    bool is_bad = false;

    for (size_t i = 0; i < text.len; i++)
        is_bad |= text.bytes[i] <= 0x20 || text.bytes[i] >= 0x7f || text.bytes[i] == '#';
    return text.len > 0 && !is_bad;
}

/* Takes what stands before the first comma of a list, without white space (RFC 9110 5.6.1). False
 * once the list is used up, which is marked by a null pointer. */
static bool take_element(lr_slice *list, lr_slice *element)
{
    const uint8_t *comma;

    if (list->bytes == NULL)
        return false;
    comma = list->len > 0 ? memchr(list->bytes, ',', list->len) : NULL;
    if (comma == NULL) {
        *element = lr__http_trim(*list);
        *list = lr_slice_of(NULL, 0);
        return true;
    }
    *element = lr__http_trim(lr_slice_of(list->bytes, (size_t)(comma - list->bytes)));
    *list = lr__http_skip(*list, (size_t)(comma - list->bytes) + 1);
    return true;
}

/* RFC 3986 3.2.3; an empty port is one that is not there. */
static bool read_port(lr_slice digits, uint16_t *port)
{
    uint32_t value = 0;

    if (digits.len == 0)
        return true;
    if (digits.len > 5)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (!lr__http_is_digit(digits.bytes[i]))
            return false;
        value = value * 10 + (uint32_t)(digits.bytes[i] - '0');
    }
    *port = (uint16_t)value;
    return value >= 1 && value <= UINT16_MAX;
}

/* The length of the address literal in brackets at the start of text, 0 if it is none. */
static size_t take_literal(lr_slice text)
{
    bool has_colon = false;

    for (size_t i = 1; i < text.len; i++) {
        uint8_t byte = text.bytes[i];

        if (byte == ']')
            return has_colon ? i + 1 : 0;
        if (lr__http_hex(byte) < 0 && byte != ':' && byte != '.')
            return 0;
        has_colon |= byte == ':';
    }
    return 0;
}

static size_t take_name(lr_slice text)
{
    size_t len = 0;

    while (len < text.len) {
        uint8_t byte = lr__http_fold(text.bytes[len]);

        if (!(byte >= 'a' && byte <= 'z') && !lr__http_is_digit(byte) && byte != '-' &&
            byte != '.' && byte != '_')
            break;
        len++;
    }
    return len;
}

/* uri-host [":" port] (RFC 9110 7.2). Narrower than the grammar of reg-name, which has escapes and
 * punctuation that no name of a server has. No userinfo (RFC 9110 4.2.4). */
static bool read_host(struct reader *r, lr_slice text)
{
    lr_http_parser *p = r->p;
    bool is_literal = text.len > 0 && text.bytes[0] == '[';
    size_t len = is_literal ? take_literal(text) : take_name(text);

    if (len == 0 || len > HOST_MAX)
        return refuse(r, 400, "the host is not a name or an address");
    p->host_at = offset_of(r, text);
    p->host_len = (uint32_t)len;
    p->port = 0;
    if (len == text.len)
        return true;
    if (text.bytes[len] != ':' || !read_port(lr__http_skip(text, len + 1), &p->port))
        return refuse(r, 400, "the host has a bad byte or port");
    return true;
}

/* The length of "http://" or "https://" at the start of target, 0 if it is neither. */
static size_t take_scheme(lr_slice target)
{
    static const lr_slice schemes[] = {{(const uint8_t *)"http://", 7},
                                       {(const uint8_t *)"https://", 8}};

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t len = schemes[i].len;

        if (target.len >= len && lr__http_is(lr_slice_of(target.bytes, len), schemes[i]))
            return len;
    }
    return 0;
}

/* RFC 9112 3.2.2: the host of the target counts, whatever Host says. */
static bool judge_absolute_form(struct reader *r, lr_slice target)
{
    size_t scheme = take_scheme(target), end = scheme;

    if (scheme == 0)
        return refuse(r, 400, "the target is in no form that a server understands");
    while (end < target.len && target.bytes[end] != '/' && target.bytes[end] != '?')
        end++;
    if (!read_host(r, lr_slice_of(target.bytes + scheme, end - scheme)))
        return false;
    r->p->has_target_host = true;
    r->p->path_at = offset_of(r, target) + (uint32_t)end;
    r->p->path_len = (uint32_t)(target.len - end);
    return true;
}

static bool judge_target(struct reader *r, lr_slice method, lr_slice target)
{
    bool is_asterisk = target.len == 1 && target.bytes[0] == '*';

    r->p->target_at = r->p->path_at = offset_of(r, target);
    r->p->target_len = r->p->path_len = (uint32_t)target.len;
    if (target.bytes[0] == '/')
        return true;
    if (!is_asterisk)
        return judge_absolute_form(r, target);
    if (method.len != 7 || memcmp(method.bytes, "OPTIONS", 7) != 0)
        return refuse(r, 400, "the target \"*\" is for OPTIONS only");
    return true;
}

/* HTTP/1.2 and later would have to be HTTP/1.1 with more (RFC 9110 6.2), but do not exist. */
static bool judge_version(struct reader *r, lr_slice version)
{
    const uint8_t *b = version.bytes;

    if (version.len != VERSION_SIZE || memcmp(b, "HTTP/", 5) != 0 || !lr__http_is_digit(b[5]) ||
        b[6] != '.' || !lr__http_is_digit(b[7]))
        return refuse(r, 400, "the version is malformed");
    if (b[5] != '1' || b[7] > '1')
        return refuse(r, 505, "the version is not HTTP/1.0 or HTTP/1.1");
    r->p->version_minor = (uint8_t)(b[7] - '0');
    return true;
}

/* RFC 9112 3: method SP request-target SP HTTP-version, with exactly one space each. */
static bool judge_request_line(struct reader *r, lr_slice line)
{
    const uint8_t *space = memchr(line.bytes, ' ', line.len);
    lr_slice method, rest, target;

    method = lr_slice_of(line.bytes, space != NULL ? (size_t)(space - line.bytes) : line.len);
    if (!is_token(method))
        return refuse(r, 400, "the method is not a token");
    if (space == NULL)
        return refuse(r, 400, "the request line has no target");
    if (method.len > METHOD_MAX)
        return refuse(r, 501, "the method is too long to be known");
    rest = lr__http_skip(line, method.len + 1);
    space = rest.len > 0 ? memchr(rest.bytes, ' ', rest.len) : NULL;
    if (space == NULL)
        return refuse(r, 400, "the request line has no version");
    target = lr_slice_of(rest.bytes, (size_t)(space - rest.bytes));
    if (!is_target(target))
        return refuse(r, 400, "the target is empty or has a bad byte");
    if (!judge_version(r, lr__http_skip(rest, target.len + 1)))
        return false;
    if (method.len == 7 && memcmp(method.bytes, "CONNECT", 7) == 0)
        return refuse(r, 501, "CONNECT is for proxies");
    r->p->method_at = offset_of(r, method);
    r->p->method_len = (uint32_t)method.len;
    return judge_target(r, method, target);
}

/* RFC 9112 3.2. A host of the target has been read already and stays. */
static bool judge_host(struct reader *r, lr_slice value)
{
    lr_http_parser *p = r->p;
    uint32_t at = p->host_at, len = p->host_len;
    uint16_t port = p->port;

    if (p->has_host)
        return refuse(r, 400, "Host is repeated");
    p->has_host = true;
    if (!read_host(r, value))
        return false;
    if (p->has_target_host) {
        p->host_at = at;
        p->host_len = len;
        p->port = port;
    }
    return true;
}

/* RFC 9112 6.3: one row of digits. A list of equal lengths could be repaired, and is refused. */
static bool judge_content_length(struct reader *r, lr_slice value)
{
    uint64_t length = 0;

    if (r->p->has_length)
        return refuse(r, 400, "Content-Length is repeated");
    r->p->has_length = true;
    if (value.len == 0)
        return refuse(r, 400, "Content-Length is empty");
    for (size_t i = 0; i < value.len; i++) {
        uint64_t digit = (uint64_t)value.bytes[i] - '0';

        if (!lr__http_is_digit(value.bytes[i]))
            return refuse(r, 400, "Content-Length is not a number");
        if (length > (UINT64_MAX - digit) / 10)
            return refuse(r, 400, "Content-Length is out of range");
        length = length * 10 + digit;
    }
    r->p->content_length = length;
    return true;
}

static bool has_chunked(lr_slice text)
{
    for (; text.len >= 7; text = lr__http_skip(text, 1)) {
        if (lr__http_is(lr_slice_of(text.bytes, 7), LR_LIT("chunked")))
            return true;
    }
    return false;
}

/* What is not "chunked" alone: a well-formed list of codings that this server does not have is 501
 * (RFC 9112 6.1); what somebody might take for chunked is 400. */
static bool refuse_codings(struct reader *r, lr_slice list)
{
    lr_slice coding;
    bool was_chunked = false;

    while (take_element(&list, &coding)) {
        if (was_chunked || !is_token(coding))
            return refuse(r, 400, "Transfer-Encoding is malformed");
        if (!has_chunked(coding))
            continue;
        if (!lr__http_is(coding, LR_LIT("chunked")))
            return refuse(r, 400, "Transfer-Encoding is malformed");
        was_chunked = true;
    }
    return refuse(r, 501, "the transfer coding is not implemented");
}

static bool judge_transfer_encoding(struct reader *r, lr_slice value)
{
    if (r->p->version_minor == 0)
        return refuse(r, 400, "Transfer-Encoding in HTTP/1.0"); /* RFC 9112 6.1 */
    if (r->p->has_coding)
        return refuse(r, 400, "Transfer-Encoding is repeated");
    r->p->has_coding = true;
    return lr__http_is(value, LR_LIT("chunked")) || refuse_codings(r, value);
}

static bool judge_connection(struct reader *r, lr_slice value)
{
    lr_slice option;

    while (take_element(&value, &option)) {
        r->p->wants_close |= lr__http_is(option, LR_LIT("close"));
        r->p->wants_keep_alive |= lr__http_is(option, LR_LIT("keep-alive"));
    }
    return true;
}

/* RFC 9110 10.1.1: HTTP/1.0 has no expectations. */
static bool judge_expect(struct reader *r, lr_slice value)
{
    if (r->p->version_minor == 0)
        return true;
    if (!lr__http_is(value, LR_LIT("100-continue")))
        return refuse(r, 417, "the expectation is not 100-continue");
    r->p->expects = true;
    return true;
}

static bool judge_known_field(struct reader *r, lr_slice name, lr_slice value)
{
    switch (name.len) {
    case 4:
        return !lr__http_is(name, LR_LIT("host")) || judge_host(r, value);
    case 6:
        return !lr__http_is(name, LR_LIT("expect")) || judge_expect(r, value);
    case 10:
        return !lr__http_is(name, LR_LIT("connection")) || judge_connection(r, value);
    case 14:
        return !lr__http_is(name, LR_LIT("content-length")) || judge_content_length(r, value);
    case 17:
        return !lr__http_is(name, LR_LIT("transfer-encoding")) || judge_transfer_encoding(r, value);
    default:
        return true;
    }
}

/* A line without a colon is a name without a value. */
static lr_http_header split_field(lr_slice line, bool *has_colon)
{
    const uint8_t *colon = memchr(line.bytes, ':', line.len);
    size_t len = colon != NULL ? (size_t)(colon - line.bytes) : line.len;
    lr_http_header header = {lr_slice_of(line.bytes, len), lr_slice_of(NULL, 0)};

    *has_colon = colon != NULL;
    if (colon != NULL)
        header.value = lr__http_trim(lr__http_skip(line, len + 1));
    return header;
}

/* RFC 9112 5: field-name ":" OWS field-value OWS. */
static bool judge_field(struct reader *r, lr_slice line)
{
    lr_http_parser *p = r->p;
    lr_http_header header;
    bool has_colon;

    if (line.bytes[0] == ' ' || line.bytes[0] == '\t')
        return refuse(r, 400, "a line begins with white space"); /* RFC 9112 2.2, 5.2 */
    header = split_field(line, &has_colon);
    if (!has_colon)
        return refuse(r, 400, "a field has no colon");
    if (!is_token(header.name))
        return refuse(r, 400, "the name of a field is not a token"); /* RFC 9112 5.1 */
    if (!is_value(header.value))
        return refuse(r, 400, "the value of a field has a bad byte");
    if (p->header_count >= r->limits.header_count_max)
        return refuse(r, 431, "too many fields");
    r->head->headers[p->header_count++] = header;
    return judge_known_field(r, header.name, header.value);
}

/* What only the whole head can tell. */
static bool judge_head(struct reader *r)
{
    const lr_http_parser *p = r->p;

    if (p->version_minor == 1 && !p->has_host)
        return refuse(r, 400, "Host is missing");
    if (p->has_length && p->has_coding)
        return refuse(r, 400, "both Content-Length and Transfer-Encoding");
    if (p->has_bare_lf && (p->has_length || p->has_coding))
        return refuse(r, 400, "a line without CR, and a body");
    if (p->content_length > r->limits.body_size_max)
        return refuse(r, 413, "the body is too large");
    return true;
}

/* Takes the next line, without its end. LR_HTTP_DONE: there is one. */
static lr_http_result take_line(struct reader *r, lr_slice *line)
{
    lr_http_parser *p = r->p;
    uint64_t end = r->limits.header_bytes_max;
    uint64_t line_end = (uint64_t)p->line + r->limits.request_line_max + 2; /* CR, LF */
    bool is_long_line = !p->has_request_line && line_end <= end;
    const uint8_t *lf = NULL;
    size_t seen;

    if (is_long_line)
        end = line_end;
    seen = r->bytes.len < end ? r->bytes.len : (size_t)end;
    if (seen > p->scanned)
        lf = memchr(r->bytes.bytes + p->scanned, '\n', seen - p->scanned);
    if (lf == NULL) {
        p->scanned = (uint32_t)seen;
        if (seen < end)
            return LR_HTTP_MORE;
        refuse(r, is_long_line ? 414 : 431,
               is_long_line ? "the request line is too long" : "the head is too large");
        return LR_HTTP_REFUSED;
    }
    *line = lr_slice_of(r->bytes.bytes + p->line, (size_t)(lf - r->bytes.bytes) - p->line);
    p->line = p->scanned = (uint32_t)(lf - r->bytes.bytes) + 1;
    if (line->len > 0 && line->bytes[line->len - 1] == '\r')
        line->len--;
    else
        p->has_bare_lf = true;
    return LR_HTTP_DONE;
}

/* An empty line before the request line is skipped (RFC 9112 2.2), a few of them. */
static bool judge_first_line(struct reader *r, lr_slice line)
{
    lr_http_parser *p = r->p;

    if (line.len == 0) {
        p->empty_lines++;
        return p->empty_lines <= EMPTY_LINES_MAX || refuse(r, 400, "too many empty lines");
    }
    if (line.len > r->limits.request_line_max)
        return refuse(r, 414, "the request line is too long");
    p->has_request_line = true;
    p->fields_at = p->line;
    return judge_request_line(r, line);
}

/* Those who speak another protocol, TLS for one, may never send a line end. */
static bool judge_first_byte(struct reader *r)
{
    lr_http_parser *p = r->p;
    uint8_t byte;

    if (p->has_request_line || r->bytes.len <= p->line)
        return true;
    byte = r->bytes.bytes[p->line];
    if (!lr__http_is_token_byte(byte) && byte != '\r' && byte != '\n')
        return refuse(r, 400, "the method is not a token");
    return true;
}

/* Makes the slices of fields that earlier calls have judged. */
static void collect_fields(struct reader *r)
{
    lr_slice rest = lr__http_skip(r->bytes, r->p->fields_at);
    bool has_colon;

    for (uint32_t i = 0; i < r->first_header; i++) {
        const uint8_t *lf = memchr(rest.bytes, '\n', rest.len);
        size_t len = (size_t)(lf - rest.bytes);
        bool has_cr = rest.bytes[len - 1] == '\r';

        r->head->headers[i] =
            split_field(lr_slice_of(rest.bytes, has_cr ? len - 1 : len), &has_colon);
        rest = lr__http_skip(rest, len + 1);
    }
}

static void fill_head(struct reader *r)
{
    const lr_http_parser *p = r->p;
    lr_http_head *head = r->head;

    collect_fields(r);
    head->header_count = p->header_count;
    head->size = p->line;
    head->method = part_of(r, p->method_at, p->method_len);
    head->target = part_of(r, p->target_at, p->target_len);
    head->path = part_of(r, p->path_at, p->path_len);
    if (p->path_len == 0) { /* RFC 9112 3.2.1, 3.2.4 */
        bool is_options = head->method.len == 7 && memcmp(head->method.bytes, "OPTIONS", 7) == 0;

        head->path = is_options ? LR_LIT("*") : LR_LIT("/");
    }
    head->host = part_of(r, p->host_at, p->host_len);
    head->port = p->port;
    head->version_minor = p->version_minor;
    head->keep_alive = !p->wants_close && (p->version_minor == 1 || p->wants_keep_alive);
    head->chunked = p->has_coding;
    head->content_length = p->content_length;
    head->has_body = head->chunked || head->content_length > 0;
    head->expect_continue = p->expects && head->has_body;
}

static lr_http_result parse_lines(struct reader *r)
{
    for (;;) {
        lr_http_parser *p = r->p;
        lr_slice line;
        lr_http_result result;

        if (!judge_first_byte(r))
            return LR_HTTP_REFUSED;
        result = take_line(r, &line);
        if (result != LR_HTTP_DONE)
            return result;
        if (p->has_request_line && line.len == 0)
            return judge_head(r) ? LR_HTTP_DONE : LR_HTTP_REFUSED;
        if (!(p->has_request_line ? judge_field(r, line) : judge_first_line(r, line)))
            return LR_HTTP_REFUSED;
    }
}

lr_http_limits lr_http_limits_of(const lr_http_limits *limits)
{
    lr_http_limits out = {8192, 16384, 100, UINT64_C(1) << 20};

    if (limits == NULL)
        return out;
    if (limits->request_line_max != 0)
        out.request_line_max = limits->request_line_max;
    if (limits->header_bytes_max != 0)
        out.header_bytes_max = limits->header_bytes_max;
    if (limits->header_count_max != 0)
        out.header_count_max = limits->header_count_max;
    if (limits->body_size_max != 0)
        out.body_size_max = limits->body_size_max;
    return out;
}

lr_http_result lr_http_head_parse(lr_http_parser *parser, const lr_http_limits *limits,
                                  lr_slice bytes, lr_http_head *head, lr_http_fault *fault)
{
    struct reader r = {parser, lr_http_limits_of(limits), bytes, head, parser->header_count};
    lr_http_result result = LR_HTTP_REFUSED;

    if (r.limits.header_count_max > head->header_cap)
        r.limits.header_count_max = head->header_cap;
    if (parser->fault.status == 0)
        result = parse_lines(&r);
    if (result == LR_HTTP_REFUSED)
        *fault = parser->fault;
    if (result == LR_HTTP_DONE) {
        fill_head(&r);
        *parser = (lr_http_parser){0};
    }
    return result;
}

lr_slice lr_http_head_value(const lr_http_head *head, lr_slice lower_name)
{
    for (uint32_t i = 0; i < head->header_count; i++) {
        if (lr__http_is(head->headers[i].name, lower_name))
            return head->headers[i].value;
    }
    return lr_slice_of(NULL, 0);
}
