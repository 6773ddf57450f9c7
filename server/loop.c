/*
 * The loop of an acceptor. Each turn answers requests whose events are stored, arms the wake-up if requests wait, and
 * lets libh2o poll and run its callbacks. Signals and the writers' wake-ups are descriptors of the same loop.
 */
#include "server/loop.h"

#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/exit_codes.h"
#include "base/mem.h"
#include "base/signals.h"
#include "server/acceptor.h"
#include "server/drain.h"
#include "server/early.h"
#include "server/error_responses.h"
#include "server/events.h"
#include "server/h2o_internals.h"
#include "server/client_limits.h"
#include "server/publish.h"
#include "server/routes.h"
#include "shm/heartbeat.h"

/*
 * Each stored batch frees the memory of hundreds of requests. glibc trims free memory above twice the largest block
 * that it has unmapped. Freeing one block of this size at start raises that threshold; without it trimming costs
 * batches 10 % of CPU.
 */
#define FIRST_BLOCK_BYTES ((size_t)2 << 20)
/*
 * Accepting waits until every writer, and control, has tried its store, at most this long, so that a restart does not
 * answer 503 while a healthy store is still being connected to.
 */
#define FIRST_TRY_US (2 * 1000 * 1000)
#define FIRST_TRY_LOOK_MS 5

/* The state of an acceptor process. */
struct loop {
	struct acceptor acceptor;
	struct drain drain;
	struct wake wake; /* of this acceptor, used by writers */
	int signal_fd;
	h2o_socket_t *signals, *wakes; /* the two descriptors above, watched */
};

static void
on_signal(h2o_socket_t *socket, const char *err)
{
	struct loop *loop = socket->data;
	int signo;

	while ((signo = signals_next(loop->signal_fd)) != 0)
		if (signo == SIGTERM)
			drain_begin(&loop->drain);
}

static void
on_wake(h2o_socket_t *socket, const char *err)
{
	struct loop *loop = socket->data;

	wake_drain(&loop->wake);
}

static h2o_socket_t *
watch(struct loop *loop, int fd, h2o_socket_cb callback)
{
	h2o_socket_t *socket = h2o_evloop_socket_create(loop->acceptor.context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);

	socket->data = loop;
	h2o_socket_read_start(socket, callback);
	return socket;
}

static void
configure_http(struct acceptor *acceptor)
{
	h2o_hostconf_t *host;

	h2o_config_init(&acceptor->globalconf);
	acceptor->globalconf.server_name = h2o_iovec_init(H2O_STRLIT("hooksd"));
	libh2o_configure(&acceptor->globalconf);
	/*
	 * One more than the limit, because libh2o refuses a chunked body that reaches it. body_read() enforces the
	 * limit.
	 */
	acceptor->globalconf.max_request_entity_size = acceptor->config->max_body_bytes + 1;
	host = h2o_config_register_host(&acceptor->globalconf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	error_responses_register(acceptor, host);
	routes_register(acceptor, host);
	h2o_context_init(&acceptor->context, h2o_evloop_create(), &acceptor->globalconf);
	acceptor->accept.ctx = &acceptor->context;
	acceptor->accept.hosts = acceptor->globalconf.hosts;
}

static int
set_up(struct acceptor *acceptor, const struct config *config, const struct segment *segment, uint32_t index,
    int control, struct ssl_ctx_st *tls)
{
	struct error err;

	acceptor->config = config;
	acceptor->segment = segment;
	acceptor->slot = segment_slot(segment, ROLE_ACCEPTOR, index);
	uuid_source_init(&acceptor->ids);
	libh2o_init_buffers();
	free(mem_new(FIRST_BLOCK_BYTES, 1));
	acceptor->events.group = LANES_EVENTS;
	acceptor->events.ack = config->ack;
	acceptor->events.answer = events_answer;
	acceptor->publishes.group = LANES_PUBLISH;
	acceptor->publishes.ack = ACK_DURABLE;
	acceptor->publishes.answer = publish_answer;
	if (outlets_open(&acceptor->events, segment, index, &err) != 0 ||
	    outlets_open(&acceptor->publishes, segment, index, &err) != 0) {
		log_error("cannot map a lane", LOG_STR("error", err.text));
		return -1;
	}
	configure_http(acceptor);
	linger_init(&acceptor->linger, acceptor->context.loop);
	control_link_open(&acceptor->control, config, segment, index, control);
	control_link_watch(&acceptor->control, acceptor->context.loop);
	acceptor->connections = (struct connections){.config = config,
	    .slot = acceptor->slot,
	    .accept = &acceptor->accept,
	    .linger = &acceptor->linger,
	    .tls = tls,
	    .refuses = early_refuses,
	    .api_keys = segment->keys};
	connections_init(&acceptor->connections);
	return 0;
}

static bool
stores_tried(const struct segment *segment)
{
	static const enum role roles[] = {ROLE_WRITER, ROLE_PUBLISHER, ROLE_CONTROL};

	for (size_t r = 0; r < sizeof roles / sizeof *roles; r++)
		for (uint32_t i = 0; i < segment->counts[roles[r]]; i++)
			if (!store_report_tried(&segment_slot(segment, roles[r], i)->store))
				return false;
	return true;
}

/* One turn of the loop, sleeping at most wait_ms. Returns false when nothing is left to serve. */
static bool
turn(struct loop *loop, int32_t wait_ms)
{
	struct acceptor *acceptor = &loop->acceptor;
	int64_t now_us = heartbeat(acceptor->slot, 0);
	bool waiting;

	usage_update(&acceptor->slot->usage, now_us);
	wait_ms = acceptor_step(acceptor, now_us, wait_ms);
	wait_ms = limits_step(&acceptor->connections, now_us, wait_ms);
	wait_ms = linger_step(&acceptor->linger, now_us, wait_ms);
	wait_ms = control_link_step(&acceptor->control, now_us, wait_ms);

	/* libh2o polls before it completes writes: do not sleep after answers written here. */
	if (outlets_answer(&acceptor->events))
		wait_ms = 0;
	if (outlets_answer(&acceptor->publishes))
		wait_ms = 0;
	if (loop->drain.state != DRAIN_SERVING) {
		wait_ms = drain_step(&loop->drain, wait_ms);
		if (wait_ms < 0)
			return false;
	}

	waiting = outlets_waiting(&acceptor->events) || outlets_waiting(&acceptor->publishes);
	if (waiting) {
		wake_arm(&loop->wake);
		/* Events stored between the answers above and wake_arm() cause no wake-up: check again. */
		if (outlets_answer_due(&acceptor->events) || outlets_answer_due(&acceptor->publishes))
			wait_ms = 0;
	}
	libh2o_run(acceptor->context.loop, now_us, wait_ms);
	if (waiting)
		wake_disarm(&loop->wake);
	return true;
}

int
acceptor_main(const struct config *config, const struct segment *segment, uint32_t index,
    const struct listeners *listeners, const struct acceptor_ends *ends, struct ssl_ctx_st *tls)
{
	static struct loop loop; /* too large for the stack */
	int64_t first_try_us = clock_steady_us() + FIRST_TRY_US;

	loop.wake = segment_wake(segment, ROLE_ACCEPTOR, index);
	loop.signal_fd = signals_open(false);
	if (set_up(&loop.acceptor, config, segment, index, ends->control, tls) != 0)
		return EXIT_FAILED;
	loop.acceptor.accepting.port = listeners->port;
	drain_init(&loop.drain, &loop.acceptor, ends->handover, listeners->passed);

	loop.wakes = watch(&loop, loop.wake.fd, on_wake);
	drain_take_over(&loop.drain);
	while (!stores_tried(segment) && clock_steady_us() < first_try_us)
		(void)turn(&loop, FIRST_TRY_LOOK_MS);
	for (uint32_t l = 0; l < listeners->count; l++)
		if (listeners_serves(listeners, index, l))
			acceptor_listen(&loop.acceptor, listeners->fds[l]);
	segment_announce(segment, loop.acceptor.slot, PROCESS_READY);
	/* Not before acceptor_listen(), because a drain stops the listeners. */
	loop.signals = watch(&loop, loop.signal_fd, on_signal);

	while (turn(&loop, heartbeat_period_ms(config->stuck_after_seconds)))
		;
	return EXIT_DRAINED;
}
