/*
 * The courier's loop. Each turn: take parcels and messages, end attempts and begin some, sleep until something comes or
 * is due.
 */
#include "courier/loop.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_codes.h"
#include "base/log.h"
#include "base/signals.h"
#include "courier/adoption.h"
#include "courier/courier.h"
#include "shm/heartbeat.h"

#define FINISH_US (5 * INT64_C(1000000)) /* for attempts under way when a drain begins */
#define STOP_US (3 * INT64_C(1000000)) /* for their outcomes */

struct loop {
	const struct config *config;
	const struct segment *segment;
	struct process_slot *slot;
	struct wake wake;
	int signal_fd;
	int64_t finish_by_us; /* steady; 0: no drain */
	struct courier courier;
};

static void
handle_signals(struct loop *loop)
{
	int signo;

	while ((signo = signals_next(loop->signal_fd)) != 0) {
		if (signo != SIGTERM || loop->finish_by_us != 0)
			continue;
		segment_announce(loop->segment, loop->slot, PROCESS_DRAINING);
		loop->finish_by_us = clock_steady_us() + FINISH_US;
		courier_drain(&loop->courier);
	}
}

/* Sends the heartbeat, unless the store thread is stuck: the master then ends the process. */
static void
say_alive(struct loop *loop)
{
	int64_t now_us = clock_steady_us();

	if (!store_thread_is_stuck(loop->courier.thread))
		now_us = heartbeat(loop->slot, 0);
	usage_update(&loop->slot->usage, now_us);
}

/* Sleeps until next_us at most. */
static void
wait_for_work(struct loop *loop, int64_t next_us)
{
	struct courier *courier = &loop->courier;
	struct pollfd fds[] = {
	    {.fd = loop->signal_fd, .events = POLLIN},
	    {.fd = loop->wake.fd, .events = POLLIN},
	    {.fd = http_fd(courier->http), .events = POLLIN},
	    {.fd = store_thread_fd(courier->thread), .events = POLLIN},
	};
	int32_t wait_ms = heartbeat_period_ms(loop->config->stuck_after_seconds);

	wake_arm(&loop->wake);
	/* Work that was put into the segment before wake_arm() causes no wake-up. */
	if (courier_has_work(courier))
		wait_ms = 0;
	else if (next_us != NEVER_US)
		wait_ms = clock_wait_ms(next_us, clock_steady_us(), wait_ms);
	(void)poll(fds, sizeof fds / sizeof *fds, wait_ms);
	wake_disarm(&loop->wake);
	if (fds[1].revents != 0)
		wake_drain(&loop->wake);
}

/* Maps the lanes, and starts the client and the store thread. Returns 0 or <0. */
static int
start(struct loop *loop, uint32_t index, struct error *err)
{
	struct courier *courier = &loop->courier;

	courier->slot = segment_courier(loop->segment, index);
	courier->node = &loop->segment->header->node;
	courier->parcels.count = loop->segment->counts[lane_group_table[LANES_JOBS].from];
	for (uint32_t i = 0; i < courier->parcels.count; i++) {
		courier->parcels.lanes[i] = segment_lane(loop->segment, LANES_JOBS, i, index);
		if (segment_map_arena(loop->segment, &courier->parcels.lanes[i], err) != 0)
			return -1;
	}
	courier->reports.lane = segment_lane(loop->segment, LANES_OUTCOMES, index, index);
	courier->reports.slot = loop->slot;
	if (segment_map_arena(loop->segment, &courier->reports.lane, err) != 0 ||
	    http_open(&courier->http, loop->config, courier_attempt_done, courier, err) != 0 ||
	    store_thread_start(&courier->thread, loop->config, loop->segment, index, err) != 0)
		return -1;
	courier_open(courier, loop->config->hl_courier_bytes, adoption_heartbeat_us(loop->config));
	return 0;
}

/* Cuts off attempts under way, uncharged, and has the store thread write the outcomes of the others. */
static int
end(struct loop *loop)
{
	struct courier *courier = &loop->courier;

	http_cancel(courier->http);
	courier_close(courier);
	if (!store_thread_stop(courier->thread, heartbeat(loop->slot, 0) + STOP_US))
		_exit(EXIT_DRAINED); /* exit() would tear down what the thread uses */
	http_close(courier->http);
	return EXIT_DRAINED;
}

/* Idles: a segment of an earlier run may have a slot for this process although the API is off now. */
static int
rest(struct loop *loop)
{
	struct pollfd fd = {.fd = loop->signal_fd, .events = POLLIN};

	segment_announce(loop->segment, loop->slot, PROCESS_READY);
	while (signals_next(loop->signal_fd) != SIGTERM) {
		usage_update(&loop->slot->usage, heartbeat(loop->slot, 0));
		(void)poll(&fd, 1, heartbeat_period_ms(loop->config->stuck_after_seconds));
	}
	return EXIT_DRAINED;
}

int
courier_main(const struct config *config, const struct segment *segment, uint32_t index, int signal_fd)
{
	static struct loop loop; /* the store thread may outlive this function */
	struct error err;

	loop = (struct loop){.config = config,
	    .segment = segment,
	    .slot = &segment_courier(segment, index)->process,
	    .wake = segment_wake(segment, ROLE_COURIER, index),
	    .signal_fd = signal_fd};
	if (!config_api_is_on(config))
		return rest(&loop);
	if (start(&loop, index, &err) != 0) {
		log_error("cannot start", LOG_STR("error", err.text));
		return EXIT_FAILED;
	}
	segment_announce(segment, loop.slot, PROCESS_READY);
	for (;;) {
		int64_t next_us;

		say_alive(&loop);
		handle_signals(&loop);
		next_us = courier_turn(&loop.courier);
		if (loop.finish_by_us != 0) {
			if (courier_in_flight(&loop.courier) == 0 || clock_steady_us() >= loop.finish_by_us)
				return end(&loop);
			if (loop.finish_by_us < next_us)
				next_us = loop.finish_by_us;
		}
		wait_for_work(&loop, next_us);
	}
}
