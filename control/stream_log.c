/* Clients whose streams end here connect again, and get 410. */
#include "control/stream_log.h"

#include "base/clock.h"
#include "control/stream_feed.h"
#include "control/stream_sources.h"
#include "store/event_log.h"

#define LOOK_US (INT64_C(60) * 1000 * 1000)
#define LACKING_LOOK_US (INT64_C(20) * 1000 * 1000)
#define FIRST_LOOK_US (INT64_C(3) * 1000 * 1000) /* the writers make the tables meanwhile */
/* Rows stay so much longer than the places of clients, until each node has ended the streams that need them. */
#define KEEP_SECONDS 180

void
stream_log_init(struct stream_log *log, bool wanted)
{
	*log = (struct stream_log){.look_us = wanted ? clock_steady_us() + FIRST_LOOK_US : INT64_MAX};
}

bool
stream_log_is_due(const struct stream_log *log)
{
	return clock_steady_us() >= log->look_us;
}

/* Ends the streams whose next row is that old: they may miss some. */
static void
end_old(struct stream *streams, int64_t old_us)
{
	for (struct stream *stream = streams; stream != NULL; stream = stream->next) {
		const struct stream_reading *reading = &stream->readings[STREAM_HOOK_EVENTS];

		if (reading->in_step && (reading->feed == NULL || !reading->feed->begun))
			continue;
		if ((reading->in_step ? reading->feed->front.us : reading->place.us) < old_us)
			stream_end(stream);
	}
}

/* The log is there if two looks find it: writers notice within seconds that they can write it again. */
static int
find_lack(struct stream_log *log, struct db *db, struct error *err)
{
	const char *found = NULL;
	int rc = event_log_check(db, &found, err);

	if (rc != 0)
		return rc;
	log->unavailable = found != NULL ? found : log->found;
	log->found = found;
	if (log->unavailable != NULL)
		log->look_us = clock_steady_us() + LACKING_LOOK_US;
	return 0;
}

static int
look_at_rows(struct stream_log *log, uint64_t seconds, struct db *db, struct stream *streams, struct error *err)
{
	int64_t old_us;
	bool more;
	int rc = event_log_old(db, seconds, &old_us, err);

	if (rc != 0)
		return rc;
	end_old(streams, old_us);
	log->look_us = clock_steady_us() + LOOK_US;
	rc = event_log_tidy(db, seconds + KEEP_SECONDS, &more, err);
	if (more)
		log->look_us = clock_steady_us();
	return rc;
}

int
stream_log_look(
    struct stream_log *log, const struct config *config, struct db *db, struct stream *streams, struct error *err)
{
	int rc = find_lack(log, db, err);

	if (rc != 0 || log->unavailable != NULL)
		return rc;
	return look_at_rows(log, stream_log_seconds(config), db, streams, err);
}
