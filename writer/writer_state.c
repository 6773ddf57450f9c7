/* Decides the next state of a writer. */
#include "writer/writer_state.h"

static int64_t
earlier(int64_t a_us, int64_t b_us)
{
	return a_us < b_us ? a_us : b_us;
}

const char *
writer_state_name(enum writer_state state)
{
#define X(symbol, name) name,
	static const char *const names[WRITER_STATES] = {WRITER_STATE_LIST(X)};
#undef X

	return names[state];
}

/*
 * If the store was never reached, only a drain spools, because acknowledged events must not stay on the ring. Otherwise
 * a configuration that never worked would look like success.
 */
int64_t
writer_spool_time(const struct writer_view *view)
{
	int64_t at_us = INT64_MAX;

	if (!view->spool_takes)
		return INT64_MAX;
	if (view->store_reached)
		at_us = view->unavailable_since_us + view->spool_after_us;
	at_us = earlier(at_us, view->store_until_us);
	return at_us > view->spool_retry_at_us ? at_us : view->spool_retry_at_us;
}

int64_t
writer_refuse_time(const struct writer_view *view)
{
	if (view->spool_takes && !view->spool_failing)
		return INT64_MAX;
	return earlier(view->unavailable_since_us + view->refuse_after_us, view->store_until_us);
}

enum writer_state
writer_next_state(const struct writer_view *view)
{
	if (view->draining && !view->pending)
		return WRITER_DRAINED;
	if (view->store_open)
		return WRITER_STORING;
	if (view->pending && view->now_us >= writer_spool_time(view))
		return WRITER_SPOOLING;
	return view->now_us >= writer_refuse_time(view) ? WRITER_REFUSING : WRITER_WAITING;
}

int64_t
writer_wait_until(const struct writer_view *view)
{
	int64_t refuse_us = writer_refuse_time(view);

	if (!view->pending)
		return view->connect_at_us;

	int64_t until_us = earlier(view->connect_at_us, writer_spool_time(view));
	/* After clients were refused no more wait, except requests accepted before the acceptors saw the new state. */
	return refuse_us > view->now_us ? earlier(until_us, refuse_us) : until_us;
}
