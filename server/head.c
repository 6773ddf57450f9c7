/*
 * RFC 9112, sections 2 to 6, as strict as libh2o and a little stricter: no continued lines, no empty names, and no two
 * statements about the body's length that differ, because a proxy in front might believe the other one.
 */
#include "server/head.h"

#include <string.h>
#include <strings.h>

/* The characters of tokens (RFC 9110 section 5.6.2): methods and names of fields. */
static const char punctuation[] = "!#$%&'*+-.^_`|~";

static bool
is_token(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr(punctuation, c) != NULL);
}

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

static size_t
token_len(const char *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && is_token((unsigned char)bytes[n]))
		n++;
	return n;
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
	/* The type of a record of a handshake. */
	if (bytes[0] == 0x16)
		return refuse(head, 400,
		    "This is TLS, and this port speaks plain HTTP: use http:// here, or a proxy that ends TLS");
	return refuse(head, 400, "This is not HTTP: a request begins with a line like POST /events HTTP/1.1");
}

static int
read_request_line(struct head *head, const char *line, size_t len)
{
	static const char version[] = " HTTP/1.";
	const size_t version_len = sizeof version; /* with the digit */
	size_t method = token_len(line, len), target = method + 1;
	const char *last;

	if (method == 0 || method == len || line[method] != ' ')
		return refuse_protocol(head, line);
	last = memrchr(line, ' ', len);
	if (len - (size_t)(last - line) != version_len || memcmp(last, version, version_len - 1) != 0 ||
	    line[len - 1] < '0' || line[len - 1] > '9')
		return refuse(head, 400,
		    "HTTP/1.1 and HTTP/1.0 are spoken here: a request begins with a line like POST /events HTTP/1.1");
	if (last <= line + target)
		return refuse(head, 400, "The request has no path");
	for (const char *c = line + target; c < last; c++)
		if (is_control((unsigned char)*c) || *c == ' ')
			return refuse(
			    head, 400, "The path holds a blank or a control character: write %20 for a blank");
	return HEAD_PARTIAL;
}

/* What the field says of the body's length. value: where it is in bytes, blanks at its ends left out. */
static int
read_framing(struct head *head, const char *bytes, const char *name, size_t name_len, size_t value, size_t value_len)
{
	if (name_len == 14 && strncasecmp(name, "content-length", 14) == 0) {
		if (head->has_length &&
		    (value_len != head->length_len || memcmp(bytes + value, bytes + head->length_at, value_len) != 0))
			return refuse(head, 400, "There are two headers Content-Length, and they differ");
		head->has_length = true;
		head->length_at = value;
		head->length_len = value_len;
	} else if (name_len == 17 && strncasecmp(name, "transfer-encoding", 17) == 0) {
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
	const char *line = bytes + at;
	size_t name = token_len(line, len), value = name + 1;

	if (head->lines > HEAD_FIELDS_MAX)
		return refuse(head, 431, "There are more than 100 headers");
	if (name == 0 || name == len || line[name] != ':')
		return refuse(head, 400, "A header is not of the form Name: value");
	for (size_t i = value; i < len; i++)
		if (is_control((unsigned char)line[i]) && line[i] != '\t')
			return refuse(head, 400, "A header holds a control character");
	while (value < len && (line[value] == ' ' || line[value] == '\t'))
		value++;
	while (len > value && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	return read_framing(head, bytes, line, name, at + value, len - value);
}

int
head_read(struct head *head, const char *bytes, size_t len)
{
	size_t limit = len < HEAD_BYTES_MAX ? len : HEAD_BYTES_MAX;
	const char *end;

	if (!is_token((unsigned char)bytes[0]))
		return refuse_protocol(head, bytes);
	while ((end = memchr(bytes + head->searched, '\n', limit - head->searched)) != NULL) {
		size_t at = head->line, line_len = (size_t)(end - (bytes + at));
		int rc;

		if (line_len > 0 && bytes[at + line_len - 1] == '\r')
			line_len--;
		head->line = head->searched = (size_t)(end - bytes) + 1;
		if (head->lines > 0 && line_len == 0)
			return HEAD_WHOLE;
		rc =
		    head->lines == 0 ? read_request_line(head, bytes, line_len) : read_field(head, bytes, at, line_len);
		if (rc != HEAD_PARTIAL)
			return rc;
		head->lines++;
	}
	head->searched = limit;
	if (limit < HEAD_BYTES_MAX)
		return HEAD_PARTIAL;
	return head->lines == 0 ? refuse(head, 414, "The request's first line is too long")
				: refuse(head, 431, "The headers are too large");
}
