/*
 * RFC 9112, sections 2 to 6, as strict as libh2o and a little stricter: no continued lines, no empty names, and no two
 * statements about the body's length that differ, because a proxy in front might believe the other one.
 */
#include "server/head.h"

#include <string.h>
#include <strings.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The characters of tokens (RFC 9110 section 5.6.2): methods and names of fields. */
static const bool token[256] = {
    ['a' ... 'z'] = true,
    ['A' ... 'Z'] = true,
    ['0' ... '9'] = true,
    ['!'] = true,
    ['#' ... '\''] = true,
    ['*' ... '+'] = true,
    ['-' ... '.'] = true,
    ['^' ... '`'] = true,
    ['|'] = true,
    ['~'] = true,
};

/* How many characters of a token the line begins with. The end of a line is no character of a token. */
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

/* Finds the first control character, or end. Every byte of every head is read here: SSE2 takes sixteen at a time. */
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
	if (bytes[0] == 0x16) /* the record of a TLS handshake begins with it */
		return refuse(head, 400,
		    "This is TLS, and this port speaks plain HTTP: use http:// here, or a proxy that ends TLS");
	return refuse(head, 400, "This is not HTTP: a request begins with a line like POST /events HTTP/1.1");
}

static int
read_request_line(struct head *head, const char *line, size_t len)
{
	static const char version[] = " HTTP/1.";
	const size_t version_len = sizeof version; /* with the digit */
	size_t method = token_len(line), target = method + 1;
	const char *last;

	if (method == 0 || line[method] != ' ')
		return refuse_protocol(head, line);
	if (len < version_len || memcmp(line + len - version_len, version, version_len - 1) != 0 ||
	    line[len - 1] < '0' || line[len - 1] > '9')
		return refuse(head, 400,
		    "HTTP/1.1 and HTTP/1.0 are spoken here: a request begins with a line like POST /events HTTP/1.1");
	last = line + len - version_len;
	if (last <= line + target)
		return refuse(head, 400, "The request has no path");
	if (memchr(line + target, ' ', (size_t)(last - (line + target))) != NULL)
		return refuse(head, 400, "The path holds a blank: write %20");
	return HEAD_PARTIAL;
}

/* Notes what the field says about the length of the body. Its name begins at name, its line ends at end. */
static int
read_framing(struct head *head, const char *bytes, size_t name, size_t name_len, size_t end)
{
	size_t value = name + name_len + 1, value_len = end - value;

	if (name_len == 14 && strncasecmp(bytes + name, "content-length", 14) == 0) {
		for (; value_len > 0 && is_blank(bytes[value]); value_len--)
			value++;
		while (value_len > 0 && is_blank(bytes[value + value_len - 1]))
			value_len--;
		if (head->has_length &&
		    (value_len != head->length_len || memcmp(bytes + value, bytes + head->length_at, value_len) != 0))
			return refuse(head, 400, "There are two headers Content-Length, and they differ");
		head->has_length = true;
		head->length_at = value;
		head->length_len = value_len;
	} else if (name_len == 17 && strncasecmp(bytes + name, "transfer-encoding", 17) == 0) {
		if (head->has_coding)
			return refuse(head, 400, "There are two headers Transfer-Encoding");
		head->has_coding = true;
	}
	if (head->has_length && head->has_coding)
		return refuse(head, 400, "There are both Content-Length and Transfer-Encoding");
	return HEAD_PARTIAL;
}

static int
read_field(struct head *head, const char *bytes, size_t at, size_t len)
{
	size_t name_len = token_len(bytes + at);

	if (head->lines > HEAD_FIELDS_MAX + 1)
		return refuse(head, 431, "There are more than 100 headers");
	if (name_len == 0 || bytes[at + name_len] != ':')
		return refuse(head, 400, "A header is not of the form Name: value");
	return read_framing(head, bytes, at, name_len, at + len);
}

/* Reads a line that has come whole, without its end. */
static int
read_line(struct head *head, const char *bytes, size_t at, size_t len)
{
	if (head->lines++ == 0)
		return read_request_line(head, bytes, len);
	return len == 0 ? HEAD_WHOLE : read_field(head, bytes, at, len);
}

static int
refuse_control(struct head *head)
{
	return refuse(head, 400,
	    head->lines == 0 ? "The request's first line holds a control character"
			     : "A header holds a control character");
}

int
head_read(struct head *head, const char *bytes, size_t len)
{
	const size_t limit = len < HEAD_BYTES_MAX ? len : HEAD_BYTES_MAX;
	const char *const end = bytes + limit;
	const char *line = bytes + head->line, *control = bytes + head->searched, *stop;
	int rc = HEAD_PARTIAL;

	if (!token[(unsigned char)bytes[0]])
		return refuse_protocol(head, bytes);
	while (rc == HEAD_PARTIAL) {
		stop = control = control_in(control, end);
		if (stop == end || (*stop == '\r' && ++stop == end))
			break;
		if (*stop == '\n') {
			rc = read_line(head, bytes, (size_t)(line - bytes), (size_t)(control - line));
			line = control = stop + 1;
		} else if (*control == '\t' && head->lines > 0) {
			control++;
		} else {
			rc = refuse_control(head);
		}
	}
	head->line = (size_t)(line - bytes);
	head->searched = (size_t)(control - bytes);
	if (rc != HEAD_PARTIAL || limit < HEAD_BYTES_MAX)
		return rc;
	return head->lines == 0 ? refuse(head, 414, "The request's first line is too long")
				: refuse(head, 431, "The headers are too large");
}
