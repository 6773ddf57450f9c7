/*
 * Enforces RFC 9112, sections 2 to 6, strictly: lines end in CR LF, no folded lines, no empty names, one Host, and one
 * statement of the body's length.
 */
#include "server/head.h"

#include <string.h>
#include <strings.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define DIGITS ['0' ... '9'] = true
#define LETTERS ['a' ... 'z'] = true, ['A' ... 'Z'] = true

static const bool token[256] = {
    DIGITS,
    LETTERS,
    ['!'] = true,
    ['#' ... '\''] = true,
    ['*' ... '+'] = true,
    ['-' ... '.'] = true,
    ['^' ... '`'] = true,
    ['|'] = true,
    ['~'] = true,
};

/*
 * The characters of host names and addresses. RFC 3986 allows a few more, such as the comma, which a proxy writes when
 * it joins two Host headers.
 */
static const bool host_char[256] = {DIGITS, LETTERS, ['-' ... '.'] = true, ['_'] = true, ['~'] = true, ['%'] = true};

bool
head_is_token(char c)
{
	return token[(unsigned char)c];
}

/* The length of the token at the line's beginning. It stops at the line's end, which is no token character. */
static size_t
token_len(const char *line)
{
	size_t n = 0;

	while (token[(unsigned char)line[n]])
		n++;
	return n;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Finds the first control character, or end. By SSE2, sixteen bytes at a time, because every byte of a head passes
 * here.
 */
static const char *
control_in(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
		int mask = _mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f))));

		if (mask != 0)
			return p + __builtin_ctz((unsigned)mask);
	}
#endif
	while (p < end && (unsigned char)*p >= 0x20 && *p != 0x7f)
		p++;
	return p;
}

static int
refuse(struct head *head, int status, const char *why)
{
	head->status = status;
	head->why = why;
	return HEAD_REFUSED;
}

static int
refuse_protocol(struct head *head, const char *bytes)
{
	if (bytes[0] == 0x16) /* the first byte of a TLS handshake */
		return refuse(head, 400,
		    "This is TLS, and this port speaks plain HTTP: use http:// here, or a proxy that ends TLS");
	return refuse(head, 400, "This is not HTTP: a request begins with a line like POST /events HTTP/1.1");
}

/* Whether text is a host name or address, perhaps with a port. */
static bool
is_host(const char *text, size_t len)
{
	const bool bracket = len > 0 && text[0] == '['; /* an address of IPv6 */
	size_t n = bracket;

	while (n < len && (host_char[(unsigned char)text[n]] || (bracket && text[n] == ':')))
		n++;
	if (bracket && (n == len || text[n++] != ']'))
		return false;
	if (n < len && text[n] == ':') {
		n++;
		while (n < len && is_digit(text[n]))
			n++;
	}
	return n == len;
}

/* The length of the host without the port that its scheme implies. */
static size_t
host_len(const char *text, size_t len, const char *implied_port)
{
	size_t port_len = strlen(implied_port);

	if (len >= port_len && memcmp(text + len - port_len, implied_port, port_len) == 0)
		return len - port_len;
	return len > 0 && text[len - 1] == ':' ? len - 1 : len;
}

static bool
names_another_host(const struct head *head, const char *bytes)
{
	const char *port = head->https ? ":443" : ":80";
	const char *authority = bytes + head->authority.at, *host = bytes + head->host.at;
	size_t len = host_len(authority, head->authority.len, port);

	return len != host_len(host, head->host.len, port) || strncasecmp(authority, host, len) != 0;
}

/* Reads a target: a path, the * of OPTIONS, or a URL. The URL's host must agree with Host (read_end()). */
static int
read_target(struct head *head, const char *bytes, size_t at, size_t len)
{
	const char *target = bytes + at;
	size_t scheme_len = 7, n = 0;

	if (memchr(target, ' ', len) != NULL)
		return refuse(head, 400, "The path holds a blank: write %20");
	if (memchr(target, '#', len) != NULL)
		return refuse(head, 400, "The path holds a #: write %23");
	if (target[0] == '/' || (len == 1 && target[0] == '*'))
		return HEAD_PARTIAL;
	head->https = len > 8 && strncasecmp(target, "https://", 8) == 0;
	if (head->https)
		scheme_len = 8;
	else if (len <= 7 || strncasecmp(target, "http://", 7) != 0)
		return refuse(head, 400, "A request asks for a path, which begins with a slash, or for an http:// URL");
	target += scheme_len;
	while (n < len - scheme_len && target[n] != '/')
		n++;
	if (n == 0 || !is_host(target, n))
		return refuse(head, 400, "The URL of the request names no host");
	head->authority = (struct head_part){(uint32_t)(at + scheme_len), (uint32_t)n};
	return HEAD_PARTIAL;
}

/* What follows such a request is none to some readers, libh2o among them. */
static bool
is_connect(const char *line, size_t len)
{
	return (len == 7 && memcmp(line, "CONNECT", 7) == 0) || (len == 11 && memcmp(line, "CONNECT-UDP", 11) == 0);
}

static int
read_request_line(struct head *head, const char *line, size_t len)
{
	static const char version[] = " HTTP/1.";
	const size_t version_len = sizeof version; /* with the digit */
	size_t method = token_len(line), target = method + 1;

	if (method == 0 || line[method] != ' ')
		return refuse_protocol(head, line);
	if (len < version_len || memcmp(line + len - version_len, version, version_len - 1) != 0 ||
	    !is_digit(line[len - 1]))
		return refuse(head, 400,
		    "HTTP/1.1 and HTTP/1.0 are spoken here: a request begins with a line like POST /events HTTP/1.1");
	head->of_1_0 = line[len - 1] == '0';
	if (len - version_len <= target)
		return refuse(head, 400, "The request has no path");
	head->method_len = (uint32_t)method;
	head->target = (struct head_part){(uint32_t)target, (uint32_t)(len - version_len - target)};
	if (is_connect(line, method))
		return refuse(head, 400, "CONNECT asks for a tunnel, and this is no proxy");
	return read_target(head, line, target, len - version_len - target);
}

/* Reads at most 19 digits, which fit into 64 bits. */
static bool
read_number(const char *text, size_t len, uint64_t *number)
{
	size_t n = 0;

	*number = 0;
	for (; n < len && n < 19 && is_digit(text[n]); n++)
		*number = *number * 10 + (uint64_t)(text[n] - '0');
	return n == len && n > 0;
}

static int
read_length(struct head *head, const char *bytes, struct head_part value)
{
	const char *text = bytes + value.at;

	if (!read_number(text, value.len, &head->body_bytes))
		return refuse(head, 400, "Content-Length is not a number of bytes");
	if (head->has_length &&
	    (value.len != head->length.len || memcmp(text, bytes + head->length.at, value.len) != 0))
		return refuse(head, 400, "There are two headers Content-Length, and they differ");
	head->has_length = true;
	head->length = value;
	return HEAD_PARTIAL;
}

static int
read_coding(struct head *head, const char *text, size_t len)
{
	if (head->has_coding)
		return refuse(head, 400, "There are two headers Transfer-Encoding");
	if (len != 7 || strncasecmp(text, "chunked", 7) != 0)
		return refuse(head, 400, "Transfer-Encoding is something other than chunked");
	head->has_coding = true;
	return HEAD_PARTIAL;
}

static int
read_host(struct head *head, const char *bytes, struct head_part value)
{
	if (head->has_host)
		return refuse(head, 400, "There are two headers Host");
	if (!is_host(bytes + value.at, value.len))
		return refuse(head, 400, "Host is not the name or address of a host, perhaps with a port");
	head->has_host = true;
	head->host = value;
	return HEAD_PARTIAL;
}

static int
read_expect(struct head *head, const char *text, size_t len)
{
	if (len != 12 || strncasecmp(text, "100-continue", 12) != 0)
		return refuse(head, 417, "The only expectation that is met is 100-continue");
	head->expects = true;
	return HEAD_PARTIAL;
}

/* The value without leading blanks. Trailing blanks belong to it, as in libh2o. */
static struct head_part
value_of(const char *bytes, size_t at, size_t end)
{
	while (at < end && is_blank(bytes[at]))
		at++;
	return (struct head_part){(uint32_t)at, (uint32_t)(end - at)};
}

static int
read_field(struct head *head, const char *bytes, size_t at, size_t len)
{
	const char *name = bytes + at;
	size_t name_len = token_len(name);
	struct head_part value;

	if (head->lines > HEAD_FIELDS_MAX + 1)
		return refuse(head, 431, "There are more than 100 headers");
	if (name_len == 0 || name[name_len] != ':')
		return refuse(head, 400, "A header is not of the form Name: value");
	value = value_of(bytes, at + name_len + 1, at + len);
	if (name_len == 4 && strncasecmp(name, "host", 4) == 0)
		return read_host(head, bytes, value);
	if (name_len == 6 && strncasecmp(name, "expect", 6) == 0)
		return read_expect(head, bytes + value.at, value.len);
	if (name_len == 13 && strncasecmp(name, "authorization", 13) == 0) {
		head->authorization = value;
		head->authorizations++; /* at most HEAD_FIELDS_MAX */
	}
	if (name_len == 14 && strncasecmp(name, "content-length", 14) == 0)
		return read_length(head, bytes, value);
	if (name_len == 17 && strncasecmp(name, "transfer-encoding", 17) == 0)
		return read_coding(head, bytes + value.at, value.len);
	return HEAD_PARTIAL;
}

/* Checks that need the whole head. */
static int
read_end(struct head *head, const char *bytes)
{
	if (head->has_length && head->has_coding)
		return refuse(head, 400, "There are both Content-Length and Transfer-Encoding");
	if (head->of_1_0 && (head->has_coding || head->expects))
		return refuse(head, 400, "HTTP/1.0 has no Transfer-Encoding and no Expect");
	if (!head->of_1_0 && !head->has_host)
		return refuse(head, 400, "There is no header Host, and HTTP/1.1 demands one");
	if (head->authority.len > 0 && head->has_host && names_another_host(head, bytes))
		return refuse(head, 400, "The URL of the request and its header Host name different hosts");
	return HEAD_WHOLE;
}

/* Reads a complete line, without its end. */
static int
read_line(struct head *head, const char *bytes, size_t at, size_t len)
{
	if (head->lines++ == 0)
		return read_request_line(head, bytes, len);
	return len == 0 ? read_end(head, bytes) : read_field(head, bytes, at, len);
}

static int
refuse_control(struct head *head, char control)
{
	if (control == '\n')
		return refuse(head, 400, "A line ends in LF alone: lines of HTTP end in CR LF");
	return refuse(head, 400,
	    head->lines == 0 ? "The request's first line holds a control character"
			     : "A header holds a control character");
}

size_t
head_empty_lines(const char *bytes, size_t len)
{
	size_t n = 0;

	while (len - n >= 2 && bytes[n] == '\r' && bytes[n + 1] == '\n')
		n += 2;
	return n;
}

int
head_read(struct head *head, const char *bytes, size_t len)
{
	const size_t limit = len < HEAD_BYTES_MAX ? len : HEAD_BYTES_MAX;
	const char *const end = bytes + limit;
	const char *line = bytes + head->line, *control = bytes + head->searched;
	int rc = HEAD_PARTIAL;

	if (!token[(unsigned char)bytes[0]])
		return refuse_protocol(head, bytes);
	while (rc == HEAD_PARTIAL) {
		control = control_in(control, end);
		if (control == end || (*control == '\r' && control + 1 == end))
			break;
		if (*control == '\r' && control[1] == '\n') {
			rc = read_line(head, bytes, (size_t)(line - bytes), (size_t)(control - line));
			control += 2;
			line = control;
		} else if (*control == '\t' && head->lines > 0) {
			control++;
		} else {
			rc = refuse_control(head, *control);
		}
	}
	head->line = (size_t)(line - bytes);
	head->searched = (size_t)(control - bytes);
	if (rc != HEAD_PARTIAL || limit < HEAD_BYTES_MAX)
		return rc;
	return head->lines == 0 ? refuse(head, 414, "The request's first line is too long")
				: refuse(head, 431, "The headers are too large");
}
