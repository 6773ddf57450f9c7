/*
 * Handlers add streams at the front of the list, and only the thread removes them, so the part of the list that it
 * walks does not change.
 */
#include "control/streams.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "control/stream_feed.h"
#include "control/stream_feeds.h"
#include "control/stream_log.h"
#include "control/stream_poll.h"
#include "control/stream_room.h"
#include "control/stream_sources.h"
#include "control/upkeep_thread.h"
#include "shm/counters.h"

/*
 * How often the thread checks whether this node has stored something; how often it asks the store for rows of
 * others.
 */
#define ASK_US (50 * 1000)
#define OTHERS_US (500 * 1000)
/* Turns take at most this fraction of the time. */
#define SHARE 4
/* The random delay of clients' reconnections: a restart ends all streams at once. */
#define RETRY_LEAST_MS 1000u
#define RETRY_SPREAD_MS 2000u

struct streams_store {
	const char *name; /* of the thread, in the log */
	bool of_events; /* the store of hook events */
	enum counter stored[2]; /* they grow when this node has stored something */
};

const struct streams_store streams_of_webhooks = {
    .name = "streams", .stored = {COUNTER_MESSAGES_STORED, COUNTER_OUTCOMES_STORED}};
const struct streams_store streams_of_hook_events = {
    .name = "streams of hook events", .of_events = true, .stored = {COUNTER_STORED, COUNTER_STORED}};

/* Of all threads of this process. */
static _Atomic uint32_t all_clients;

struct streams {
	const struct streams_store *store;
	const struct config *config;
	const struct segment *segment;
	struct process_slot *slot;
	struct upkeep_thread *thread;
	int fd;
	/* For the thread only. */
	struct stream_feed *feeds;
	bool find_failed; /* the last find_places() has failed */
	uint32_t failed_polls[STREAM_KINDS]; /* so many polls of a kind have failed in a row */
	uint64_t stored; /* stored by this node at the start of the last turn */
	int64_t next_us, last_us; /* steady: the next turn if this node stores something; if it does not */
	struct stream_log log; /* of hook events */
	uint32_t clients; /* counted in all_clients */
	pthread_mutex_t lock; /* guards what follows */
	struct stream *first;
	uint64_t made; /* streams, ever */
	const char *unavailable; /* why the store has no streams; NULL: it has */
	bool ending;
	bool rung; /* a turn is due */
};

static void
ring(void *context)
{
	struct streams *streams = context;

	pthread_mutex_lock(&streams->lock);
	streams->rung = true;
	pthread_mutex_unlock(&streams->lock);
	upkeep_thread_ring(streams->thread);
}

/* ---- handlers ---- */

int
streams_add(struct streams *streams, struct stream *stream)
{
	uint32_t all = 0, of_tenant = 0;
	int rc = 0;

	stream->ring = ring;
	stream->context = streams;
	pthread_mutex_lock(&streams->lock);
	for (struct stream *other = streams->first; other != NULL; other = other->next) {
		if (stream_is_left(other))
			continue;
		all++;
		of_tenant += strcmp(other->tenant_id, stream->tenant_id) == 0;
	}
	if (streams->ending)
		rc = STREAMS_END;
	else if (streams->unavailable != NULL)
		rc = STREAMS_UNAVAILABLE;
	else if (all >= STREAMS_MAX)
		rc = STREAMS_FULL;
	else if (of_tenant >= STREAMS_TENANT_MAX)
		rc = STREAMS_TENANT_FULL;
	if (rc == 0) {
		stream->number = ++streams->made;
		stream->next = streams->first;
		streams->first = stream;
	}
	pthread_mutex_unlock(&streams->lock);
	if (rc == 0)
		ring(streams);
	return rc;
}

const char *
streams_unavailable(struct streams *streams)
{
	const char *unavailable;

	pthread_mutex_lock(&streams->lock);
	unavailable = streams->unavailable;
	pthread_mutex_unlock(&streams->lock);
	return unavailable != NULL ? unavailable : "what the store lacked is there now: connect again";
}

/* ---- the loop ---- */

int
streams_fd(const struct streams *streams)
{
	return streams->fd;
}

void
streams_clear_fd(struct streams *streams)
{
	uint64_t count;

	(void)!read(streams->fd, &count, sizeof count);
}

void
streams_end(struct streams *streams)
{
	pthread_mutex_lock(&streams->lock);
	streams->ending = true;
	for (struct stream *stream = streams->first; stream != NULL; stream = stream->next)
		stream_end(stream);
	pthread_mutex_unlock(&streams->lock);
}

/* ---- the thread ---- */

static struct stream *
first_of(struct streams *streams)
{
	struct stream *first;

	pthread_mutex_lock(&streams->lock);
	first = streams->first;
	pthread_mutex_unlock(&streams->lock);
	return first;
}

/* Removes left streams from the list. Returns how many remain. */
static uint32_t
remove_left(struct streams *streams)
{
	struct stream *left = NULL, *next;
	uint32_t count = 0;

	pthread_mutex_lock(&streams->lock);
	for (struct stream **at = &streams->first; *at != NULL;) {
		struct stream *stream = *at;

		if (!stream_is_left(stream)) {
			at = &stream->next;
			count++;
			continue;
		}
		*at = stream->next;
		stream->next = left;
		left = stream;
	}
	pthread_mutex_unlock(&streams->lock);
	for (; left != NULL; left = next) {
		next = left->next;
		stream_free(left);
	}
	return count;
}

static bool
is_needed(void *context)
{
	struct streams *streams = context;
	uint32_t count = remove_left(streams);

	stream_feeds_tidy(&streams->feeds, first_of(streams));
	all_clients += count - streams->clients;
	streams->clients = count;
	level_set(streams->slot, LEVEL_STREAM_CLIENTS, all_clients);
	return count > 0 || stream_log_is_due(&streams->log);
}

/* Where streams begin that shall begin behind an event. */
static int
find_places(struct streams *streams, struct stream *first, struct db *db, struct error *err)
{
	int rc = 0;

	for (struct stream *stream = first; rc == 0 && stream != NULL; stream = stream->next) {
		if (stream->after_event[0] == '\0')
			continue;
		rc = stream_find_event(db, streams->config, stream, err);
		if (rc == 0)
			stream->after_event[0] = '\0';
	}
	return rc;
}

static bool
has_begun(const struct stream *stream)
{
	if (stream->after_event[0] != '\0')
		return false;
	for (int kind = 0; kind < STREAM_KINDS; kind++)
		if (stream->readings[kind].wanted && !stream->readings[kind].feed->begun)
			return false;
	return true;
}

/*
 * Opens new streams: a client that has got the first bytes gets all rows committed afterwards. Returns whether there
 * were any.
 */
static bool
open_those_that_began(struct stream *first)
{
	bool any = false;

	for (struct stream *stream = first; stream != NULL; stream = stream->next) {
		struct bytes text = {0};
		char line[48], resume[LIST_CURSOR_BYTES];
		uint32_t random;

		if (stream->opened || !has_begun(stream))
			continue;
		any = true;
		crypto_random(&random, sizeof random);
		(void)snprintf(line, sizeof line, ":\n\nretry: %u\n", RETRY_LEAST_MS + random % RETRY_SPREAD_MS);
		bytes_add_text(&text, line);
		stream_feed_resume(stream, resume);
		if (resume[0] != '\0') {
			bytes_add_text(&text, "id: ");
			bytes_add_text(&text, resume);
			bytes_add_text(&text, "\n");
		}
		bytes_add_text(&text, "\n");
		stream_set_opened(stream, &text);
		bytes_free(&text);
	}
	return any;
}

/* So that clients which get nothing for long can resume from where they are. */
static void
update_resume_places(struct stream *first)
{
	char resume[LIST_CURSOR_BYTES];

	for (struct stream *stream = first; stream != NULL; stream = stream->next) {
		if (!stream->opened)
			continue;
		stream_feed_resume(stream, resume);
		stream_set_resume(stream, resume);
	}
}

/* Whether a turn is due. */
static bool
is_due(struct streams *streams, int64_t now_us)
{
	uint64_t stored = segment_counter_sum(streams->segment, streams->store->stored[0]) +
			  segment_counter_sum(streams->segment, streams->store->stored[1]);
	bool due = now_us >= streams->last_us || (stored != streams->stored && now_us >= streams->next_us);

	pthread_mutex_lock(&streams->lock);
	due = due || streams->rung;
	streams->rung = false;
	pthread_mutex_unlock(&streams->lock);
	if (due)
		streams->stored = stored;
	return due;
}

/*
 * When a kind's poll has failed twice, each of its feeds reads the next time, so that a statement that always fails
 * holds up nobody for ever. Once may be a lost connection.
 */
static int
poll_feeds(struct streams *streams, struct db *db, struct error *err)
{
	int rc = 0;

	for (int kind = 0; rc == 0 && kind < STREAM_KINDS; kind++) {
		const struct stream_source *source = stream_source_of(streams->config, (enum stream_kind)kind);

		rc = stream_poll(streams->feeds, source, streams->failed_polls[kind] >= 2, db, err);
		streams->failed_polls[kind] = rc != 0 ? streams->failed_polls[kind] + 1 : 0;
	}
	return rc;
}

static int
read_for_all(struct streams *streams, struct db *db, bool *again, struct error *err)
{
	struct stream *first = first_of(streams);
	struct stream_feed *last = NULL;
	size_t held;
	bool opened;
	uint64_t given = 0;
	/* The streams whose places cannot be found hold up the others every other time. */
	int rc = streams->find_failed ? 0 : find_places(streams, first, db, err);

	streams->find_failed = rc != 0;
	stream_feeds_find(&streams->feeds, streams->config, first);
	held = stream_room_count(streams->feeds, first);
	opened = open_those_that_began(first);
	if (rc == 0)
		rc = poll_feeds(streams, db, err);
	for (struct stream_feed *feed = streams->feeds; rc == 0 && feed != NULL; last = feed, feed = feed->next) {
		stream_room_give(feed, held);
		if (!feed->begun) {
			rc = stream_feed_begin(feed, db, err);
			opened = open_those_that_began(first) || opened;
		}
		if (rc == 0)
			rc = stream_feed_turn(feed, db, first, again, err);
		given += feed->given;
		feed->given = 0;
		held += feed->given_bytes;
	}
	if (rc != 0 && last != NULL)
		stream_feeds_put_last(&streams->feeds, last);
	update_resume_places(first);
	stream_room_look(streams->feeds, first, clock_steady_us());
	if (given > 0)
		counter_add(streams->slot, COUNTER_STREAM_EVENTS, given);
	if (given > 0 || opened)
		(void)!write(streams->fd, &(uint64_t){1}, sizeof(uint64_t));
	return rc;
}

/* Looks at the log of hook events if that is due. Ends all streams, and begins no more, if the store lacks it. */
static int
look_at_log(struct streams *streams, struct db *db, struct error *err)
{
	struct stream_log *log = &streams->log;
	int rc;

	if (!stream_log_is_due(log))
		return 0;
	rc = stream_log_look(log, streams->config, db, first_of(streams), err);
	pthread_mutex_lock(&streams->lock);
	streams->unavailable = log->unavailable;
	for (struct stream *stream = streams->first; log->unavailable != NULL && stream != NULL; stream = stream->next)
		stream_end(stream);
	pthread_mutex_unlock(&streams->lock);
	(void)!write(streams->fd, &(uint64_t){1}, sizeof(uint64_t));
	return rc;
}

static int
turn(void *context, struct db *db, struct error *err)
{
	struct streams *streams = context;
	int64_t began_us = clock_steady_us(), ended_us;
	bool again = false;
	int rc = look_at_log(streams, db, err);

	if (rc != 0 || !is_due(streams, began_us))
		return rc;
	rc = read_for_all(streams, db, &again, err);
	ended_us = clock_steady_us();
	streams->next_us = ended_us + (SHARE - 1) * (ended_us - began_us);
	streams->last_us = streams->next_us > ended_us + OTHERS_US ? streams->next_us : ended_us + OTHERS_US;
	if (again)
		ring(streams);
	return rc;
}

struct streams *
streams_start(const struct streams_store *store, const struct config *config, const struct segment *segment,
    struct process_slot *slot, const struct db_env *env,
    struct error *err) /* six: what a process has, and which streams */
{
	struct streams *streams = mem_new(1, sizeof *streams);
	const struct upkeep_duty duty = {.name = store->name,
	    .of_events = store->of_events,
	    .period_us = ASK_US,
	    .is_needed = is_needed,
	    .config = config,
	    .env = env,
	    .turn = turn,
	    .context = streams};

	*streams = (struct streams){.store = store,
	    .config = config,
	    .segment = segment,
	    .slot = slot,
	    .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
	    .lock = PTHREAD_MUTEX_INITIALIZER};
	stream_log_init(&streams->log, store->of_events && config->storage == STORAGE_POSTGRES);
	level_set(slot, LEVEL_STREAM_CLIENTS, 0);
	if (streams->fd < 0)
		(void)error_errno(err, "cannot make an eventfd");
	else if ((streams->thread = upkeep_thread_start(&duty, err)) != NULL)
		return streams;
	free(streams);
	return NULL;
}

/* Streams are not freed: calls that could not be ended still use them. */
bool
streams_stop(struct streams *streams, int64_t until_us)
{
	return upkeep_thread_stop(streams->thread, until_us);
}
