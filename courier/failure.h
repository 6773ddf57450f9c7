/* What libcurl's errors mean for an attempt, and the text that the endpoint's owner reads. */
#ifndef COURIER_FAILURE_H
#define COURIER_FAILURE_H

#include <stdbool.h>

#include <curl/curl.h>

#include "courier/attempt.h"

/* Why an attempt has no reply. Texts are borrowed. */
struct failure {
	CURLcode code;
	int os_error; /* errno of the connection; 0: none */
	int no_socket; /* errno of a failed socket(2); 0: it did not fail */
	const char *host; /* for the words */
	const char *certificate; /* what certificate_watch() noted; "": nothing */
	const char *detail; /* libcurl's words; "": none */
	bool connected, encrypted; /* how far it came; encrypted is also true if the URL needs no TLS */
};

/* Sets result->end to ATTEMPT_FAILED or ATTEMPT_INTERNAL, failure, error, and certificate_error. Pure; any thread. */
void failure_describe(const struct failure *failure, struct attempt_result *result);

#endif
