/* Stores, spools and refuses batches, each with one commit of the ledger. */
#include "writer/batches.h"

#include "base/clock.h"
#include "base/log.h"
#include "shm/settle.h"
#include "writer/spool_replay.h"
#include "writer/writer.h"

/* Commits the draft, and releases the lanes accordingly. */
static void
commit_draft(struct writer *w)
{
	ledger_commit(&w->slot->ledger);
	settle_lanes(w->segment, w->duty->role, w->index);
}

static void
add_result(struct ledger_page *draft, const struct sink_result *result)
{
	draft->counters[COUNTER_STORED] += result->stored;
	draft->counters[COUNTER_DUPLICATES] += result->duplicates;
	draft->counters[COUNTER_DEAD_LETTERED] += result->dead_lettered;
	draft->counters[COUNTER_DISCARDED] += result->discarded;
}

void
batches_store(struct writer *w)
{
	struct batch batch = {w->intake.records, w->intake.count, w->intake.outcomes, w->intake.requests};
	struct sink_result result = {0};

	if (batch.count > 0 && store_link_store(&w->store, &batch, &result) != 0) {
		if (result.in_doubt)
			intake_mark_in_doubt(&w->intake);
		return;
	}

	struct ledger_page *draft = ledger_draft(&w->slot->ledger);

	if (!w->duty->publishes)
		add_result(draft, &result);
	intake_draft_release(&w->intake, draft, SETTLED_STORED);
	commit_draft(w);
	if (batch.count > 0)
		store_link_committed(&w->store);
}

void
batches_replay(struct writer *w)
{
	struct spool *spool = &w->spool.spool;
	struct sink_result result;

	if (spool_link_next(&w->spool) != 0)
		return;

	struct batch batch = {spool->reader.records, spool->reader.count, NULL, NULL};

	if (batch.count > 0 && w->duty->publishes)
		replay_begin(&w->replay, spool, &batch);
	if (batch.count == 0 || store_link_store(&w->store, &batch, &result) != 0)
		return;
	if (w->duty->publishes) {
		if (!replay_add(&w->replay, &w->spool, &batch, &result))
			return;
		result = w->replay.sum;
	}

	struct ledger_page *draft = ledger_draft(&w->slot->ledger);

	add_result(draft, &result);
	spool_draft_replayed(spool, draft);
	draft->spool_events += w->replay.put_back;
	commit_draft(w);
	store_link_committed(&w->store);
	if (w->replay.put_back > 0)
		spool_append_committed(spool);
	spool_link_replayed(&w->spool);
}

bool
batches_spool(struct writer *w)
{
	struct batch batch = {w->intake.records, w->intake.count, w->intake.outcomes};

	if (batch.count > 0 && spool_link_append(&w->spool, &batch) != 0) {
		if (ledger_append_open(&w->slot->ledger, APPEND_SPOOL))
			intake_mark_in_doubt(&w->intake);
		return false;
	}

	struct ledger_page *draft = ledger_draft(&w->slot->ledger);

	draft->counters[COUNTER_SPOOLED] += batch.count;
	draft->spool_events += batch.count;
	intake_draft_release(&w->intake, draft, SETTLED_SPOOLED);
	commit_draft(w);
	if (batch.count > 0)
		spool_append_committed(&w->spool.spool);
	return true;
}

/* How long events on the ring have waited for another session; <0: none waits. */
static int64_t
waited_us(struct writer *w, int64_t now_us)
{
	if (!w->intake.waits) {
		w->waits_since_us = 0;
		return -1;
	}
	if (w->waits_since_us == 0)
		w->waits_since_us = now_us;
	return now_us - w->waits_since_us;
}

void
batches_spool_waiting(struct writer *w)
{
	const int64_t now_us = clock_steady_us(), us = waited_us(w, now_us);
	const int64_t spool_after_us = (int64_t)w->config->spool_after_ms * 1000;
	const bool spools = spool_link_takes(&w->spool) && now_us >= w->spool.append_at_us &&
			    !replay_moves(&w->replay, &w->spool.spool);

	if (us < 0 || (us < spool_after_us && !w->draining) || !intake_gather_waiting(&w->intake))
		return;
	if (spools && batches_spool(w)) {
		replay_add_waiting(&w->replay, w->intake.count);
		w->waits_since_us = now_us - spool_after_us; /* later events of the same order need not wait again */
	} else if (us >= (int64_t)w->config->store_timeout_ms * 1000) {
		batches_refuse(w, false);
	}
}

void
batches_refuse(struct writer *w, bool all)
{
	struct ledger_page *draft = ledger_draft(&w->slot->ledger);
	uint64_t events = intake_draft_refusals(&w->intake, draft, all);

	commit_draft(w);
	if (events == 0)
		return;

	uint64_t times = repeat_met(&w->refusals, clock_steady_us());

	if (times > 0)
		log_warning("requests waited too long for the store: answered with 503", LOG_UINT("events", events),
		    LOG_UINT("times", times));
}
