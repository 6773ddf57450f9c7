/* Formats status lines and whole answers. */
#include "server/raw_reply.h"

#include <assert.h>
#include <stdio.h>

const char *
status_reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 201:
		return "Created";
	case 202:
		return "Accepted";
	case 204:
		return "No Content";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 409:
		return "Conflict";
	case 410:
		return "Gone";
	case 412:
		return "Precondition Failed";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 415:
		return "Unsupported Media Type";
	case 417:
		return "Expectation Failed";
	case 422:
		return "Unprocessable Content";
	case 429:
		return "Too Many Requests";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	case 504:
		return "Gateway Timeout";
	default:
		assert(!"a status without a reason");
		return "";
	}
}

/* The members "error" and "code" of an error of the management API. */
static const char *
kind_of(int status)
{
	switch (status) {
	case 401:
		return "\"error\":\"unauthorized\",\"code\":\"AUTH_REQUIRED\"";
	case 403:
		return "\"error\":\"forbidden\"";
	case 408:
		return "\"error\":\"request_timeout\"";
	case 413:
		return "\"error\":\"payload_too_large\"";
	case 429:
	case 503:
		return "\"error\":\"overloaded\"";
	default:
		return "\"error\":\"bad_request\"";
	}
}

static const char *
headers_of(int status)
{
	if (status == 401)
		return "WWW-Authenticate: Bearer\r\n";
	return status == 429 || status == 503 ? "Retry-After: 1\r\n" : "";
}

size_t
raw_reply(char out[RAW_REPLY_BYTES], int status, const char *text, bool of_api)
{
	char body[RAW_REPLY_BYTES / 2];
	int len = of_api ? snprintf(body, sizeof body, "{%s,\"detail\":\"%s\",\"message\":\"%s\"}", kind_of(status),
			       text, text)
			 : snprintf(body, sizeof body, "{\"detail\":\"%s\"}", text);

	assert(len > 0 && (size_t)len < sizeof body);
	len = snprintf(out, RAW_REPLY_BYTES,
	    "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %d\r\nServer: hooksd\r\n"
	    "Content-Type: application/json\r\n%s\r\n%s",
	    status, status_reason(status), len, headers_of(status), body);
	assert(len > 0 && len < RAW_REPLY_BYTES);
	return (size_t)len;
}
