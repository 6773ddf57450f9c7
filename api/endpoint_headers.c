/* Checks the headers of an endpoint. */
#include "api/endpoint_headers.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";

/* Headers of the connection and of the body, and those that the service sets itself. */
static const char *const reserved[] = {"connection", "content-encoding", "content-length", "content-type", "expect",
    "host", "http2-settings", "keep-alive", "te", "trailer", "traceparent", "tracestate", "transfer-encoding",
    "upgrade", "user-agent", "x-gp-signature", "x-gp-timestamp"};
static const char *const reserved_beginnings[] = {"proxy-", "webhook-", "x-hl-", "x-hookline-"};

static bool
is_reserved(struct span name)
{
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (name.len == strlen(reserved[i]) && strncasecmp(name.base, reserved[i], name.len) == 0)
			return true;
	for (size_t i = 0; i < sizeof reserved_beginnings / sizeof *reserved_beginnings; i++) {
		size_t len = strlen(reserved_beginnings[i]);

		if (name.len >= len && strncasecmp(name.base, reserved_beginnings[i], len) == 0)
			return true;
	}
	return false;
}

int
endpoint_header_check(struct span name, struct span value, struct error *err)
{
	if (name.len == 0)
		return error_set(err, "has an empty name");
	for (size_t i = 0; i < name.len; i++)
		if (name.base[i] == '\0' || strchr(token, name.base[i]) == NULL)
			return error_set(
			    err, "has a character that no header's name may have, at byte %zu of its name", i + 1);
	if (is_reserved(name))
		return error_set(err, "is a header that the service sets itself");
	if (name.len + value.len > ENDPOINT_HEADER_BYTES_MAX)
		return error_set(err, "has %zu bytes in name and value, %d at most", name.len + value.len,
		    ENDPOINT_HEADER_BYTES_MAX);
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.base[i];

		if (c < ' ' || c == 0x7f)
			return error_set(err, "has a control character at byte %zu of its value", i + 1);
		if (c > 0x7f)
			return error_set(err, "has a character beyond ASCII at byte %zu of its value", i + 1);
	}
	if (value.len > 0 && (value.base[0] == ' ' || value.base[value.len - 1] == ' '))
		return error_set(err, "has a value that begins or ends with a blank, which receivers cut off");
	return 0;
}
