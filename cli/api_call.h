/* Translates a typed command to a request of the API. */
#ifndef CLI_API_CALL_H
#define CLI_API_CALL_H

#include <stdbool.h>

#include "base/error.h"
#include "cli/api_verbs.h"

struct api_call {
	const struct api_group *group;
	const struct api_verb *verb;
	char *path; /* filled in, without a query */
	char *query; /* "limit=5&order=asc", or "" */
	char *body; /* JSON; NULL: none */
	char *if_match; /* NULL: none */
	const char *idempotency_key; /* NULL: none. Borrowed */
	const char *url, *key, *key_file; /* of --hl-url, --hl-api-key, --hl-api-key-file; NULL: not given. Borrowed */
	bool json; /* print the reply unchanged */
	bool help;
};

/*
 * Reads the words behind the group's name in argv. 0 with *call, to be released by api_call_free(), or <0 with a
 * sentence for the person who typed them.
 */
int api_call_read(struct api_call *call, const struct api_group *group, int argc, char **argv, struct error *err);

void api_call_free(struct api_call *call);

#endif
