/* Deadlines of statements. */
#include "store/postgres/deadline.h"

#include <inttypes.h>

#include "base/clock.h"

static int64_t
on_wait(void *context)
{
	const struct deadline *deadline = context;

	if (deadline->beats)
		sink_env_heartbeat(deadline->env);
	return sink_env_store_until_us(deadline->env);
}

void
deadline_watch(struct deadline *deadline, struct pg *pg)
{
	pg_on_wait(pg, on_wait, deadline);
}

int64_t
deadline_begin(struct deadline *deadline)
{
	deadline->began_us = clock_steady_us();
	return deadline->began_us + (int64_t)deadline->statement_ms * 1000;
}

int64_t
deadline_used_us(const struct deadline *deadline)
{
	return clock_steady_us() - deadline->began_us;
}

uint32_t
deadline_server_ms(const struct deadline *deadline)
{
	return deadline->statement_ms - deadline->statement_ms / 10;
}

bool
deadline_expired(const struct deadline *deadline, struct error *err)
{
	const struct error cause = *err;
	int64_t used_ms = deadline_used_us(deadline) / 1000;

	if (clock_steady_us() >= sink_env_store_until_us(deadline->env)) {
		(void)error_set(err, "%s: given up, the service stops", cause.text);
		return false;
	}
	if (used_ms < deadline_server_ms(deadline))
		return false;
	(void)error_set(err, "%s: given up after %" PRId64 " ms, STORE_TIMEOUT_MS=%" PRIu32 " allows no more",
	    cause.text, used_ms, deadline->statement_ms);
	return true;
}
