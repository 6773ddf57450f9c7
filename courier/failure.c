/*
 * One sentence for each kind of failure. The texts show no URL, and nothing that the receiver sent but its
 * certificate.
 */
#include "courier/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static void
describe_timeout(const struct failure *failure, struct attempt_result *result)
{
	const char *what = !failure->connected   ? "no connection to"
			   : !failure->encrypted ? "no TLS with"
						 : "no reply from";

	(void)snprintf(
	    result->error, sizeof result->error, "%s %s within %d ms", what, failure->host, result->duration_ms);
}

static void
describe_certificate(const struct failure *failure, struct attempt_result *result)
{
	/* A valid chain may be for other names; libcurl compares the names. */
	if (failure->certificate[0] != '\0')
		(void)snprintf(result->certificate_error, sizeof result->certificate_error, "%s", failure->certificate);
	else
		(void)snprintf(result->certificate_error, sizeof result->certificate_error,
		    "it is not for the name %s: %s", failure->host, failure->detail);
	(void)snprintf(result->error, sizeof result->error, "the certificate of %s was not accepted: %.*s",
	    failure->host, ATTEMPT_ERROR_MAX / 2, result->certificate_error);
}

/* "": the code has no words of its own. */
static void
describe(const struct failure *failure, struct attempt_result *result)
{
	const char *host = failure->host;

	switch (failure->code) {
	case CURLE_OPERATION_TIMEDOUT:
		describe_timeout(failure, result);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		describe_certificate(failure, result);
		break;
	case CURLE_COULDNT_CONNECT:
		(void)snprintf(result->error, sizeof result->error, "cannot connect to %s: %s", host,
		    failure->os_error != 0 ? strerror(failure->os_error) : "no address answered");
		break;
	case CURLE_SSL_CONNECT_ERROR:
		(void)snprintf(result->error, sizeof result->error, "no TLS with %s: %.*s", host, 200, failure->detail);
		break;
	case CURLE_GOT_NOTHING:
		(void)snprintf(result->error, sizeof result->error, "%s closed the connection without a reply", host);
		break;
	case CURLE_OK:
		(void)snprintf(
		    result->error, sizeof result->error, "%s closed the connection within the head of its reply", host);
		break;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
		(void)snprintf(result->error, sizeof result->error, "the connection to %s was lost%s%s", host,
		    failure->os_error != 0 ? ": " : "", failure->os_error != 0 ? strerror(failure->os_error) : "");
		break;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
	case CURLE_WEIRD_SERVER_REPLY:
		(void)snprintf(result->error, sizeof result->error, "%s did not answer in HTTP", host);
		break;
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		(void)snprintf(result->error, sizeof result->error, "%s ended the HTTP/2 stream without a reply", host);
		break;
	case CURLE_WRITE_ERROR: /* response_head() returned false */
		(void)snprintf(
		    result->error, sizeof result->error, "the reply of %s begins with too many headers", host);
		break;
	default:
		(void)snprintf(result->error, sizeof result->error, "the request to %s failed: %s", host,
		    curl_easy_strerror(failure->code));
		break;
	}
}

/* Describes a failure of the service itself; NULL: the endpoint has failed. */
static const char *
internal_error(const struct failure *failure)
{
	if (failure->no_socket != 0)
		return strerror(failure->no_socket);
	switch (failure->code) {
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_ABORTED_BY_CALLBACK: /* our own callback, but not the guard: epoll refused a socket */
	case CURLE_COULDNT_RESOLVE_HOST: /* our resolver had already answered */
		return curl_easy_strerror(failure->code);
	default:
		return NULL;
	}
}

/* A receiver's name may be cut within a character, which no store accepts. */
static void
mend_utf8(char *text)
{
	size_t len = strlen(text);

	for (size_t at = 0, width; at<len; at += width> 0 ? width : 1) {
		width = utf8_length(text + at, len - at);
		if (width == 0)
			text[at] = '?';
	}
}

static enum attempt_failure
kind_of(const struct failure *failure)
{
	switch (failure->code) {
	case CURLE_OPERATION_TIMEDOUT:
		return FAILURE_TIMEOUT;
	case CURLE_COULDNT_CONNECT:
		return failure->os_error == ECONNREFUSED ? FAILURE_REFUSED : FAILURE_CONNECTION;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
		return FAILURE_TLS;
	default:
		return FAILURE_CONNECTION;
	}
}

void
failure_describe(const struct failure *failure, struct attempt_result *result)
{
	const char *ours = internal_error(failure);

	result->end = ours != NULL ? ATTEMPT_INTERNAL : ATTEMPT_FAILED;
	result->failure = kind_of(failure);
	if (ours != NULL)
		(void)snprintf(result->error, sizeof result->error, "no attempt could be made: %s", ours);
	else
		describe(failure, result);
	mend_utf8(result->error);
	mend_utf8(result->certificate_error);
}
