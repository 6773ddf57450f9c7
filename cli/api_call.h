/* A command of the API as it was typed, and the request that it means. */
#ifndef CLI_API_CALL_H
#define CLI_API_CALL_H

#include <stdbool.h>

#include "base/error.h"
#include "cli/api_verbs.h"

struct api_call {
	const struct api_group *group;
	const struct api_verb *verb;
	char *path; /* with its words; without a query */
	char *query; /* "limit=5&order=asc", or "" */
	char *body; /* JSON; NULL: none */
	char *if_match; /* NULL: none */
	const char *idempotency_key; /* NULL: none. Borrowed */
	const char *url, *key, *key_file; /* of --hl-url, --hl-api-key, --hl-api-key-file; NULL: not given. Borrowed */
	bool json; /* the reply as it came */
	bool help;
};

/*
 * Reads what stands behind the group's name in argv. 0 with *call, to be released by api_call_free(), or <0 with a
 * sentence for a person who has typed something wrong.
 */
int api_call_read(struct api_call *call, const struct api_group *group, int argc, char **argv, struct error *err);

void api_call_free(struct api_call *call);

#endif
