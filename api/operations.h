/* The operations of the management API. Acceptors forward them and control answers. operation_list.def has the rows. */
#ifndef API_OPERATIONS_H
#define API_OPERATIONS_H

#include <stdbool.h>

#include "api/scopes.h"

enum api_operation {
#define OPERATION(symbol, ...) OPERATION_##symbol,
#include "api/operation_list.def"
	API_OPERATIONS
};

/* Whether the reply is a stream, which does not end by itself. */
static inline bool
operation_is_stream(enum api_operation operation)
{
	return operation == OPERATION_STREAM || operation == OPERATION_HOOK_EVENT_STREAM;
}

struct api_operation_info {
	const char *method; /* "GET" */
	const char *path; /* "/v1/tenants/{id}" */
	enum scope scope; /* the scope that a key needs */
	const char *help; /* a few words for a person */
};

/* Indexed by enum api_operation. */
extern const struct api_operation_info api_operation_table[API_OPERATIONS];

#endif
