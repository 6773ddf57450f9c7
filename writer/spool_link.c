/* Keeps the state of a spool that may fail, and retries. */
#include "writer/spool_link.h"

#include <assert.h>
#include <limits.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/probes.h"
#include "writer/spool_replay.h"

/* Pauses after failures. The first is short, because clients wait for it. */
#define APPEND_RETRY_US 500000
#define RETRY_US 5000000
#define REST_US 1000000
#define CHECK_US 1000000

const char *
spool_state_name(enum spool_state state)
{
#define X(symbol, name) name,
	static const char *const names[SPOOL_STATES] = {SPOOL_STATE_LIST(X)};
#undef X

	return names[state];
}

/* Only this function changes the state. */
static void
change_state(struct spool_link *link, enum spool_state state)
{
	/* The allowed new states for each old one. */
	static const unsigned int successors[SPOOL_STATES] = {
	    [SPOOL_UNUSED] = 1u << SPOOL_CLOSED,
	    [SPOOL_CLOSED] = 1u << SPOOL_REPLAY_ONLY | 1u << SPOOL_TAKING,
	    [SPOOL_REPLAY_ONLY] = 1u << SPOOL_CLOSED,
	    [SPOOL_TAKING] = 1u << SPOOL_FAILING | 1u << SPOOL_CLOSED,
	    [SPOOL_FAILING] = 1u << SPOOL_TAKING | 1u << SPOOL_CLOSED,
	};

	if (state == link->state)
		return;
	assert((successors[link->state] & 1u << state) != 0);
	log_debug("the spool's state has changed", LOG_STR("from", spool_state_name(link->state)),
	    LOG_STR("to", spool_state_name(state)));
	link->state = state;
}

static void
open_spool(struct spool_link *link)
{
	struct spool *spool = &link->spool;
	struct error err;

	if (spool_open(spool, &link->options, &err) != 0) {
		int64_t now = clock_steady_us();
		uint64_t times = repeat_met(&link->unusable, now);

		if (times > 0)
			log_error("the spool cannot be used", LOG_STR("error", err.text), LOG_UINT("times", times));
		spool_close(spool);
		link->open_at_us = now + RETRY_US;
		return;
	}
	if (link->unusable.times > 0)
		log_info("the spool can be used again", LOG_UINT("times", link->unusable.times));
	change_state(link, link->options.max_bytes > 0 ? SPOOL_TAKING : SPOOL_REPLAY_ONLY);
	if (spool_waiting(spool))
		log_info("events wait in the spool",
		    LOG_UINT("events", ledger_page(&spool->slot->ledger)->spool_events),
		    LOG_UINT("bytes", spool->bytes));
}

void
spool_link_init(struct spool_link *link, const struct spool_options *options, bool used)
{
	*link = (struct spool_link){.options = *options, .state = SPOOL_UNUSED};
	if (!used)
		return;
	change_state(link, SPOOL_CLOSED);
	open_spool(link);
}

bool
spool_link_open(const struct spool_link *link)
{
	return link->state != SPOOL_UNUSED && link->state != SPOOL_CLOSED;
}

bool
spool_link_found_any(const struct spool_link *link)
{
	return spool_link_open(link) && link->spool.found_any;
}

bool
spool_link_takes(const struct spool_link *link)
{
	return link->state == SPOOL_TAKING || link->state == SPOOL_FAILING;
}

bool
spool_link_accepts(const struct spool_link *link, bool pending)
{
	if (!spool_link_takes(link) || spool_low(&link->spool))
		return false;
	return link->state == SPOOL_TAKING || (!pending && clock_steady_us() >= link->append_at_us);
}

/* Checks that acknowledged events are in a named file, which another process would find. */
static void
check_file(struct spool_link *link)
{
	int64_t now = clock_steady_us();
	struct error err;

	link->check_at_us = now + CHECK_US;
	link->lost = spool_restore_file(&link->spool, &err) != 0;
	if (!link->lost)
		return;
	link->check_at_us = now + RETRY_US;

	uint64_t times = repeat_met(&link->removed, now);

	if (times > 0)
		log_error("a spool file was removed and cannot be made again: a stop would lose its events",
		    LOG_STR("error", err.text), LOG_UINT("times", times));
}

void
spool_link_upkeep(struct spool_link *link, bool store_works)
{
	int64_t now = clock_steady_us();

	if (link->state == SPOOL_CLOSED && now >= link->open_at_us)
		open_spool(link);
	if (spool_link_open(link) && now >= link->check_at_us)
		check_file(link);
	if (link->state == SPOOL_FAILING && store_works)
		change_state(link, SPOOL_TAKING);
}

/* Whether the replayed file has its name, or none is open. */
static bool
replays_file_in_place(const struct spool *spool)
{
	char path[PATH_MAX];

	if (spool->read_fd < 0)
		return true;
	spool_part_path(spool, &spool->parts[0], path);
	return files_in_place(spool->read_fd, path);
}

bool
spool_link_is_recoverable(struct spool_link *link)
{
	if (!spool_link_open(link))
		return true;
	if (!link->lost || clock_steady_us() >= link->check_at_us)
		check_file(link);
	return !link->lost && replays_file_in_place(&link->spool);
}

static void
refused(struct spool_link *link, const struct error *err)
{
	int64_t now = clock_steady_us();
	uint64_t times = repeat_met(&link->refuses, now);

	if (times > 0)
		log_error("the spool takes no more events", LOG_STR("error", err->text), LOG_UINT("times", times));
	link->append_at_us = now + APPEND_RETRY_US;
	store_report_set_error(&link->options.slot->process.store, err->text);
	change_state(link, SPOOL_FAILING);
}

int
spool_link_append(struct spool_link *link, const struct batch *batch)
{
	struct error err;

	int rc = spool_append(&link->spool, batch->records, batch->count, &err);
	PROBE_SPOOL(batch->count, rc);
	if (rc != 0) {
		refused(link, &err);
		return -1;
	}
	change_state(link, SPOOL_TAKING);

	uint64_t times = repeat_over(&link->refuses, clock_steady_us());

	if (times > 0)
		log_info("the spool takes events again", LOG_UINT("times", times));
	return 0;
}

bool
spool_link_replays(const struct spool_link *link)
{
	return spool_link_open(link) && spool_waiting(&link->spool) && clock_steady_us() >= link->replay_at_us;
}

int
spool_link_next(struct spool_link *link)
{
	int64_t now = clock_steady_us();
	struct error err;

	if (spool_next(&link->spool, &err) == 0)
		return 0;

	uint64_t times = repeat_met(&link->replay_fails, now);

	if (times > 0)
		log_error("cannot replay the spool", LOG_STR("error", err.text), LOG_UINT("times", times));
	link->replay_at_us = now + RETRY_US;
	return -1;
}

void
spool_link_replayed(struct spool_link *link)
{
	spool_replay_committed(&link->spool);

	uint64_t times = repeat_over(&link->replay_fails, clock_steady_us());

	if (times > 0)
		log_info("the spool is replayed again", LOG_UINT("times", times));
	if (!spool_waiting(&link->spool))
		log_info("the spool is empty again");
}

void
spool_link_pause_replay(struct spool_link *link)
{
	link->replay_at_us = clock_steady_us() + REST_US;
}

void
spool_link_close(struct spool_link *link)
{
	if (!spool_link_open(link))
		return;
	check_file(link);
	spool_close(&link->spool);
	change_state(link, SPOOL_CLOSED);
}
