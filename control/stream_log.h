/*
 * Looks after the log of hook events in PostgreSQL, once a minute: whether it is there, which streams it no longer
 * serves, and that it keeps no more than it has to. The streams' thread.
 */
#ifndef CONTROL_STREAM_LOG_H
#define CONTROL_STREAM_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "control/stream.h"
#include "store/db.h"

struct stream_log {
	int64_t look_us; /* steady: the next look; INT64_MAX: never */
	const char *unavailable; /* why there are no streams; NULL: there are */
	const char *found; /* what the last look found lacking; NULL: nothing */
};

/* Prepares the first look, if `wanted`. */
void stream_log_init(struct stream_log *log, bool wanted);

/* Whether a look is due. */
bool stream_log_is_due(const struct stream_log *log);

/*
 * Looks, sets log->unavailable, and ends streams that may miss events. Returns as db_query(). The look stays due while
 * it fails: after an outage streams read on only behind it.
 */
int stream_log_look(
    struct stream_log *log, const struct config *config, struct db *db, struct stream *streams, struct error *err);

#endif
