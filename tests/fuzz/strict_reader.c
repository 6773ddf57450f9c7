/* Finds lines first, and then reads them. A line that has not come whole is tried with several ends. */
#include "tests/fuzz/strict_reader.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/span.h"

enum reading { RIGHT, UNFINISHED, WRONG };

struct request {
	bool of_1_0, has_host, has_length, chunked, expects;
	bool has_connection, stays; /* as a header Connection says */
	struct span host, url_host, length;
	const char *port; /* the port that the scheme of a URL implies */
};

static struct span
span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static bool
same(struct span a, struct span b)
{
	return a.len == b.len && strncasecmp(a.base, b.base, a.len) == 0;
}

static bool
equal(struct span text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.base, word, text.len) == 0;
}

/* Whether the text has only characters of that set. */
static bool
consists_of(struct span text, const char *set)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.base[i] == '\0' || strchr(set, text.base[i]) == NULL)
			return false;
	return true;
}

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool
is_token(struct span text)
{
	return text.len > 0 && consists_of(text, DIGITS LETTERS "!#$%&'*+-.^_`|~");
}

static bool
has_control(struct span text, bool tab_is_one)
{
	for (size_t i = 0; i < text.len; i++)
		if (((unsigned char)text.base[i] < ' ' && (tab_is_one || text.base[i] != '\t')) || text.base[i] == 0x7f)
			return true;
	return false;
}

static struct span
skip(struct span text, size_t n)
{
	assert(n <= text.len);
	return (struct span){text.base + n, text.len - n};
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span
trim(struct span text)
{
	while (text.len > 0 && is_blank(*text.base))
		text = skip(text, 1);
	while (text.len > 0 && is_blank(text.base[text.len - 1]))
		text.len--;
	return text;
}

/* Cuts the text at the first such character. *first is the part before it. Returns whether there is one. */
static bool
cut(struct span *text, char c, struct span *first)
{
	const char *at = text->len > 0 ? memchr(text->base, c, text->len) : NULL;

	if (at == NULL)
		return false;
	*first = (struct span){text->base, (size_t)(at - text->base)};
	*text = skip(*text, first->len + 1);
	return true;
}

/* Cuts off a line with its CR LF. */
static bool
cut_line(struct span *text, struct span *line)
{
	const char *at = memmem(text->base, text->len, "\r\n", 2);

	if (at == NULL)
		return false;
	*line = (struct span){text->base, (size_t)(at - text->base)};
	*text = skip(*text, line->len + 2);
	return true;
}

static bool
is_host(struct span text)
{
	struct span name = text, port = {NULL, 0}, address;
	const char *set = DIGITS LETTERS "-._~%";

	if (text.len > 0 && *text.base == '[') {
		name = skip(text, 1);
		if (!cut(&name, ']', &address) || !consists_of(address, DIGITS LETTERS "-._~%:"))
			return false;
		return name.len == 0 || (*name.base == ':' && consists_of(skip(name, 1), DIGITS));
	}
	if (cut(&name, ':', &address)) {
		port = name;
		name = address;
	}
	return consists_of(name, set) && consists_of(port, DIGITS);
}

static struct span
without_port(struct span host, const char *implied)
{
	size_t len = strlen(implied);

	if (host.len >= len && memcmp(host.base + host.len - len, implied, len) == 0)
		host.len -= len;
	else if (host.len > 0 && host.base[host.len - 1] == ':')
		host.len--;
	return host;
}

static enum reading
read_first_line(struct request *request, struct span line)
{
	struct span method, target, host;

	if (has_control(line, true) || !cut(&line, ' ', &method) || !is_token(method) || !cut(&line, ' ', &target))
		return WRONG;
	if (line.len != 8 || memcmp(line.base, "HTTP/1.", 7) != 0 || !consists_of(skip(line, 7), DIGITS))
		return WRONG;
	request->of_1_0 = line.base[7] == '0';
	if (equal(method, "CONNECT") || equal(method, "CONNECT-UDP"))
		return WRONG;
	if (target.len == 0 || memchr(target.base, '#', target.len) != NULL)
		return WRONG;
	if (*target.base == '/' || same(target, span_of("*")))
		return RIGHT;
	if (target.len > 7 && same((struct span){target.base, 7}, span_of("http://"))) {
		request->port = ":80";
		target = skip(target, 7);
	} else if (target.len > 8 && same((struct span){target.base, 8}, span_of("https://"))) {
		request->port = ":443";
		target = skip(target, 8);
	} else {
		return WRONG;
	}
	host = target;
	(void)cut(&target, '/', &host);
	request->url_host = host;
	return host.len > 0 && is_host(host) ? RIGHT : WRONG;
}

static bool
lists(struct span list, const char *word)
{
	struct span element;

	while (cut(&list, ',', &element))
		if (same(trim(element), span_of(word)))
			return true;
	return same(trim(list), span_of(word));
}

static enum reading
read_field(struct request *request, struct span line)
{
	struct span name;

	if (has_control(line, false) || !cut(&line, ':', &name) || !is_token(name))
		return WRONG;
	while (line.len > 0 && is_blank(*line.base))
		line = skip(line, 1);
	if (same(name, span_of("host"))) {
		if (request->has_host || !is_host(line))
			return WRONG;
		request->has_host = true;
		request->host = line;
	} else if (same(name, span_of("content-length"))) {
		if (line.len == 0 || line.len > 19 || !consists_of(line, DIGITS))
			return WRONG;
		if (request->has_length && !same(line, request->length))
			return WRONG;
		request->has_length = true;
		request->length = line;
	} else if (same(name, span_of("transfer-encoding"))) {
		if (request->chunked || !same(line, span_of("chunked")))
			return WRONG;
		request->chunked = true;
	} else if (same(name, span_of("expect"))) {
		if (!same(line, span_of("100-continue")))
			return WRONG;
		request->expects = true;
	} else if (same(name, span_of("connection"))) {
		request->has_connection = true;
		request->stays = lists(line, "keep-alive");
	}
	return RIGHT;
}

/* Errors that only the whole head shows. */
static bool
contradicts_itself(const struct request *request)
{
	if (request->of_1_0 ? request->chunked || request->expects : !request->has_host)
		return true;
	if (request->chunked && request->has_length)
		return true;
	return request->port != NULL && request->has_host &&
	       !same(without_port(request->host, request->port), without_port(request->url_host, request->port));
}

static enum reading
read_head(struct request *request, struct span *rest)
{
	struct span line;
	unsigned lines = 0;

	while (cut_line(rest, &line)) {
		if (lines > 0 && line.len == 0)
			return contradicts_itself(request) ? WRONG : RIGHT;
		if ((lines++ == 0 ? read_first_line(request, line) : read_field(request, line)) != RIGHT || lines > 101)
			return WRONG;
	}
	if (lines == 0 && !is_token((struct span){rest->base, 1}))
		return WRONG;
	if (rest->len > 0 && rest->base[rest->len - 1] == '\r')
		rest->len--;
	return has_control(*rest, lines == 0) ? WRONG : UNFINISHED;
}

static bool
is_last(const struct request *request)
{
	return request->has_connection ? !request->stays : request->of_1_0;
}

/* The size of a chunk, with or without an extension. */
static bool
is_size(struct span line)
{
	struct span size = line;

	if (has_control(line, false))
		return false;
	if (cut(&line, ';', &size))
		while (size.len > 0 && is_blank(size.base[size.len - 1]))
			size.len--;
	return size.len > 0 && size.len <= 8 && consists_of(size, DIGITS "abcdefABCDEF");
}

/* A trailer, or the empty line after the last one. */
static bool
is_trailer(struct span line)
{
	struct span name;

	if (line.len == 0)
		return true;
	return !has_control(line, false) && cut(&line, ':', &name) && is_token(name) && !same(name, span_of("host")) &&
	       !same(name, span_of("content-length")) && !same(name, span_of("transfer-encoding"));
}

/* Whether the text, with one of several ends, is a line of that kind. */
static bool
may_become(struct span text, bool (*is_one)(struct span))
{
	static const char *const ends[] = {"\r\n", "\n", "0\r\n", ";\r\n", ":\r\n", "x:\r\n"};
	static char bytes[STRICT_BYTES_MAX + 8];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct span whole = {bytes, text.len + strlen(ends[i])}, line;

		if (text.len > 0)
			memcpy(bytes, text.base, text.len);
		memcpy(bytes + text.len, ends[i], strlen(ends[i]));
		if (cut_line(&whole, &line) && whole.len == 0 && is_one(line))
			return true;
	}
	return false;
}

static enum reading
read_chunks(struct span *rest, char *body, size_t *len)
{
	struct span line;
	size_t size;

	do {
		if (!cut_line(rest, &line))
			return may_become(*rest, is_size) ? UNFINISHED : WRONG;
		if (!is_size(line))
			return WRONG;
		size = strtoul(line.base, NULL, 16);
		if (size == 0)
			break;
		if (size > rest->len)
			return UNFINISHED;
		memcpy(body + *len, rest->base, size);
		*len += size;
		*rest = skip(*rest, size);
		if (rest->len < 2)
			return rest->len == 0 || *rest->base == '\r' ? UNFINISHED : WRONG;
	} while (cut_line(rest, &line) && line.len == 0);
	if (size != 0)
		return WRONG;
	do {
		if (!cut_line(rest, &line))
			return may_become(*rest, is_trailer) ? UNFINISHED : WRONG;
		if (!is_trailer(line))
			return WRONG;
	} while (line.len > 0);
	return RIGHT;
}

static enum reading
read_body(const struct request *request, struct span *rest, char *body, size_t *len)
{
	*len = 0;
	if (request->chunked)
		return read_chunks(rest, body, len);
	if (!request->has_length)
		return RIGHT;
	*len = strtoull(request->length.base, NULL, 10);
	if (*len > STRICT_BODY_MAX)
		return WRONG;
	if (*len > rest->len)
		return UNFINISHED;
	memcpy(body, rest->base, *len);
	*rest = skip(*rest, *len);
	return RIGHT;
}

void
strict_add(struct strict_requests *requests, const char *body, size_t len)
{
	uint32_t sum = 1;

	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + (unsigned char)body[i];
	assert(requests->count < STRICT_REQUESTS_MAX);
	requests->bodies[requests->count].len = len;
	requests->bodies[requests->count++].sum = sum;
}

void
strict_read(const char *bytes, size_t len, struct strict_requests *found)
{
	static char body[STRICT_BYTES_MAX];
	struct span rest = {bytes, len};

	for (;;) {
		struct request request = {0};
		enum reading reading;
		size_t body_len;

		while (rest.len >= 2 && memcmp(rest.base, "\r\n", 2) == 0)
			rest = skip(rest, 2);
		if (rest.len == 0 || (rest.len == 1 && *rest.base == '\r')) {
			found->end = STRICT_OPEN;
			return;
		}
		reading = read_head(&request, &rest);
		if (reading == RIGHT)
			reading = read_body(&request, &rest, body, &body_len);
		if (reading != RIGHT) {
			found->end = reading == WRONG ? STRICT_WRONG : STRICT_OPEN;
			return;
		}
		strict_add(found, body, body_len);
		if (is_last(&request)) {
			found->end = STRICT_LAST;
			return;
		}
	}
}
