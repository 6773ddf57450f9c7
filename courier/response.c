/* Reads replies, line by line as libcurl hands them over. */
#include "courier/response.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "api/target_url.h"
#include "base/utf8.h"
#include "courier/retry_after.h"

static bool
is_word(struct span text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.base, word, text.len) == 0;
}

static struct span
trimmed(struct span text)
{
	while (text.len > 0 && strchr(" \t\r\n", text.base[text.len - 1]) != NULL)
		text.len--;
	while (text.len > 0 && (*text.base == ' ' || *text.base == '\t')) {
		text.base++;
		text.len--;
	}
	return text;
}

void
response_begin(struct response *reply, bool keep)
{
	struct bytes body = reply->body;

	body.len = 0;
	*reply = (struct response){.keep = keep, .retry_after_ms = -1, .body = body};
}

/* Sets reply->redirect to the origin of an absolute URL that an endpoint could have; leaves it empty otherwise. */
static void
read_location(struct response *reply, struct span url)
{
	struct target_url parts;
	struct error err;

	if (target_url_split(url, &parts, &err) == 0 &&
	    parts.authority.len + strlen("https://") < sizeof reply->redirect)
		*(char *)mempcpy(stpcpy(reply->redirect, parts.https ? "https://" : "http://"), parts.authority.base,
		    parts.authority.len) = '\0';
}

static void
read_header(struct response *reply, struct span name, struct span value, int64_t now_us)
{
	if (is_word(name, "retry-after") && reply->retry_after_ms < 0)
		reply->retry_after_ms = retry_after_read(value, now_us);
	else if (is_word(name, "webhook-delivery") && is_word(value, "disable"))
		reply->directive = DIRECTIVE_DISABLE;
	else if (is_word(name, "webhook-delivery") && is_word(value, "abort-message"))
		reply->directive = DIRECTIVE_ABORT;
	else if (is_word(name, "location"))
		read_location(reply, value);
}

/* "HTTP/1.1 200 OK", "HTTP/2 200". A new status line discards the informational reply before it. */
static void
read_status(struct response *reply, struct span line)
{
	const char *at = memchr(line.base, ' ', line.len), *end = line.base + line.len;
	size_t head_bytes = reply->head_bytes;

	response_begin(reply, reply->keep);
	reply->head_bytes = head_bytes;
	while (at != NULL && at < end && *at == ' ')
		at++;
	for (int i = 0; i < 3 && at != NULL && at < end && isdigit((unsigned char)*at); i++)
		reply->status = reply->status * 10 + (*at++ - '0');
}

bool
response_head(struct response *reply, struct span line, int64_t now_us)
{
	const char *colon;

	reply->head_bytes += line.len;
	if (reply->head_bytes > REPLY_HEAD_MAX)
		return false;
	if (reply->complete)
		return true; /* a trailer */
	if (line.len > 5 && memcmp(line.base, "HTTP/", 5) == 0) {
		read_status(reply, line);
		return true;
	}
	if (trimmed(line).len == 0) {
		reply->complete = reply->status >= 200;
		return true;
	}
	colon = memchr(line.base, ':', line.len);
	if (colon != NULL) {
		size_t len = (size_t)(colon - line.base);
		struct span value = trimmed((struct span){colon + 1, line.len - len - 1});

		read_header(reply, (struct span){line.base, len}, value, now_us);
	}
	return true;
}

bool
response_body(struct response *reply, struct span bytes)
{
	size_t room = ATTEMPT_RESPONSE_MAX - reply->body.len;

	reply->body_bytes += bytes.len;
	if (reply->keep)
		bytes_add(&reply->body, bytes.base, bytes.len < room ? bytes.len : room);
	return reply->body_bytes <= REPLY_BODY_MAX;
}

void
response_text(const struct response *reply, char out[ATTEMPT_RESPONSE_MAX + 1])
{
	static const char replacement[] = "\xef\xbf\xbd";
	const char *at = reply->body.base, *end = at + reply->body.len;
	char *to = out, *to_end = out + ATTEMPT_RESPONSE_MAX;

	while (at < end) {
		size_t len = *at == '\0' ? 0 : utf8_length(at, (size_t)(end - at)), width = len > 0 ? len : 3;

		if ((size_t)(to_end - to) < width)
			break;
		if (len == 0 && (size_t)(end - at) < 4 && reply->body_bytes > reply->body.len && *at != '\0')
			break; /* the limit cut this character, not the receiver */
		to = mempcpy(to, len > 0 ? at : replacement, width);
		at += len > 0 ? len : 1;
	}
	*to = '\0';
}

void
response_free(struct response *reply)
{
	bytes_free(&reply->body);
}
