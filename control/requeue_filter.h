/* What a bulk requeue is asked for, in its body and its query. Worker threads. */
#ifndef CONTROL_REQUEUE_FILTER_H
#define CONTROL_REQUEUE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "control/filters.h"
#include "control/request.h"
#include "store/webhooks/dead_letter_lists.h"

struct requeue_filter {
	struct topic_filter topic;
	char endpoint_id[OBJECT_ID_BYTES], reason[QUERY_VALUE_BYTES];
	struct dead_letter_filter letters; /* points into this struct, which stays where it is */
	int64_t limit; /* letters, at most; INT64_MAX: all */
	bool dry_run;
};

/*
 * Reads it: a member of the body goes before the parameter of that name. null, empty texts and zeros are as if absent.
 * false: something is wrong or unknown, and the reply says so (400).
 */
bool requeue_filter_read(const struct request *request, struct requeue_filter *filter, struct reply *reply);

#endif
