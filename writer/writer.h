/* The state of a writer or publisher process, for loop.c and batches.c. */
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

/* The differences between the roles. */
struct duty {
	enum role role;
	const char *spool_directory;
	struct sink *(*new_sink)(const struct config *config, const struct sink_env *env);
	bool publishes; /* else it stores hook events, and an earlier run's store may have been a JSONL file */
	int64_t rest_most_us;
};

struct writer {
	const struct duty *duty;
	const struct config *config;
	const struct segment *segment;
	uint32_t index;
	struct writer_slot *slot;
	struct intake intake;
	struct publish_env env; /* a writer uses only its store_env */
	struct store_link store;
	struct spool_link spool;
	struct replay replay; /* publisher only */
	struct wake wake;
	int signal_fd;
	bool draining;
	int64_t rested_us; /* steady: end of the rest after a transaction */
	int64_t waits_since_us; /* steady: since when another session blocks events on the ring; 0: none does */
	enum writer_state state;
	struct repeat refusals;
};

#endif
