/* What a body of POST /v1/replay asks for. Pure, but for memory; any thread of control. */
#ifndef CONTROL_REPLAY_REQUEST_H
#define CONTROL_REPLAY_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "api/document.h"
#include "base/span.h"
#include "control/filters.h"
#include "store/webhooks/list_sql.h"

#define REPLAY_IDS_MAX 1000 /* of event_ids */
#define REPLAY_LIMIT 100 /* of a range, unless the request says otherwise */
#define REPLAY_RATE_MAX 100000

/* All zero is an empty one. */
struct replay_request {
	uint8_t (*ids)[16]; /* in ascending order, each once; NULL: a range is asked for */
	uint32_t id_count;
	bool one; /* by event_id: without that event there is nothing to do */
	struct time_range created;
	struct topic_filter topic;
	uint8_t endpoint_id[16]; /* the one that gets them; all zero: all that match */
	char endpoint_text[OBJECT_ID_BYTES]; /* the same; "": all */
	bool failed_only, dry_run;
	int64_t limit; /* events at most */
	int64_t rate; /* events a second; 0: no limit */
};

/* Reads it. false: it is wrong, and *error says how. The caller frees it in either case. */
bool replay_request_read(struct span body, struct replay_request *replay, struct document_error *error);

void replay_request_free(struct replay_request *replay);

#endif
