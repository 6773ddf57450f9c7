/* Reads the body of POST /v1/replay. Pure, except for memory; any thread of control. */
#ifndef CONTROL_REPLAY_REQUEST_H
#define CONTROL_REPLAY_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "api/document.h"
#include "base/span.h"
#include "control/filters.h"
#include "store/webhooks/list_sql.h"

#define REPLAY_IDS_MAX 1000 /* of event_ids */
#define REPLAY_LIMIT 100 /* default limit of a range */
#define REPLAY_RATE_MAX 100000

/* All zero: an empty request. */
struct replay_request {
	uint8_t (*ids)[16]; /* sorted, without duplicates; NULL: a range */
	uint32_t id_count;
	bool one; /* given by event_id: if that event is missing there is nothing to do */
	struct time_range created;
	struct topic_filter topic;
	uint8_t endpoint_id[16]; /* send only to this endpoint; all zero: to all that match */
	char endpoint_text[OBJECT_ID_BYTES]; /* the same as text; "": all */
	bool failed_only, dry_run;
	int64_t limit; /* most events */
	int64_t rate; /* events a second; 0: no limit */
};

/* Reads a body. false: *error says what is wrong. The caller frees the request in any case. */
bool replay_request_read(struct span body, struct replay_request *replay, struct document_error *error);

void replay_request_free(struct replay_request *replay);

#endif
