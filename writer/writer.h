/* A writer process, or a publisher's, as its loop and batches.c see it. */
#ifndef WRITER_WRITER_H
#define WRITER_WRITER_H

#include "base/repeat.h"
#include "config/config.h"
#include "shm/segment.h"
#include "shm/wake.h"
#include "writer/intake.h"
#include "writer/publish_env.h"
#include "writer/replay.h"
#include "writer/spool_link.h"
#include "writer/store_link.h"
#include "writer/writer_state.h"

/* What the processes of a role do with this loop. */
struct duty {
	enum role role;
	const char *spool_directory;
	struct sink *(*new_sink)(const struct config *config, const struct sink_env *env);
	bool
	    publishes; /* else its events are hook events, and the store of an earlier run may have been a JSONL file */
	int64_t rest_most_us;
};

struct writer {
	const struct duty *duty;
	const struct config *config;
	const struct segment *segment;
	uint32_t index;
	struct writer_slot *slot;
	struct intake intake;
	struct publish_env env; /* of a writer only its store_env */
	struct store_link store;
	struct spool_link spool;
	struct replay replay; /* a publisher's */
	struct wake wake;
	int signal_fd;
	bool draining;
	int64_t rested_us; /* steady: until then the writer rests after a transaction */
	int64_t waits_since_us; /* steady: since then another session is in the way of events on the ring; 0: none is */
	enum writer_state state;
	struct repeat refusals;
};

#endif
