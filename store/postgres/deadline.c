/* Deadlines of statements. */
#include "store/postgres/deadline.h"

#include <inttypes.h>

#include "base/clock.h"

static int64_t
on_wait(void *context)
{
	const struct patience *patience = context;

	if (patience->beats)
		sink_env_heartbeat(patience->env);
	return sink_env_store_until_us(patience->env);
}

void
patience_watch(struct patience *patience, struct pg *pg)
{
	pg_on_wait(pg, on_wait, patience);
}

int64_t
patience_begin(struct patience *patience)
{
	patience->began_us = clock_steady_us();
	return patience->began_us + (int64_t)patience->statement_ms * 1000;
}

int64_t
patience_used_us(const struct patience *patience)
{
	return clock_steady_us() - patience->began_us;
}

uint32_t
patience_server_ms(const struct patience *patience)
{
	return patience->statement_ms - patience->statement_ms / 10;
}

bool
patience_ended(const struct patience *patience, struct error *err)
{
	const struct error cause = *err;
	int64_t used_ms = patience_used_us(patience) / 1000;

	if (clock_steady_us() >= sink_env_store_until_us(patience->env)) {
		(void)error_set(err, "%s: given up, the service stops", cause.text);
		return false;
	}
	if (used_ms < patience_server_ms(patience))
		return false;
	(void)error_set(err, "%s: given up after %" PRId64 " ms, STORE_TIMEOUT_MS=%" PRIu32 " allows no more",
	    cause.text, used_ms, patience->statement_ms);
	return true;
}
