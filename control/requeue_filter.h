/* Reads the filter of a bulk requeue from its body and its query. Worker threads. */
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
	struct dead_letter_filter letters; /* points into this struct, which must not move */
	int64_t limit; /* most letters; INT64_MAX: all */
	bool dry_run;
};

/*
 * Reads the filter. A member of the body overrides the parameter of that name. null, empty texts and zeros count as
 * absent. false: the reply says what is wrong or unknown (400).
 */
bool requeue_filter_read(const struct request *request, struct requeue_filter *filter, struct reply *reply);

#endif
