/*
 * One poll loop gets signals, deaths and the children's announcements on two descriptors, and makes all decisions in
 * its turns.
 */
#include "master/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/repeat.h"
#include "base/signals.h"
#include "master/child.h"
#include "master/notify.h"
#include "shm/heartbeat.h"

/* This many consecutive short lives of a process end the service, unless its role may keep dying. */
#define RESTART_BUDGET 10
#define POLL_RETRY_MS 100
#define TURN_MS 1000

/* In this order, never back. */
enum supervisor_state { SUPERVISOR_STARTING, SUPERVISOR_SERVING, SUPERVISOR_DRAINING, SUPERVISOR_KILLING };

struct supervisor {
	const struct supervision *by;
	const struct config *config;
	const struct segment *segment;
	enum supervisor_state state; /* only set_state() changes it */
	struct child *children;
	uint32_t child_count;
	int signal_fd;
	struct notify notify;
	int64_t watchdog_at_us; /* steady: next WATCHDOG=1 */
	int64_t checked_us; /* steady: last check of the heartbeats */
	int64_t granted_us; /* steady: lateness counts from here at the earliest */
	int64_t deadline_us; /* steady, if draining */
	struct repeat no_fork, no_poll;
	uint32_t rolling; /* index of the child being replaced on HUP; child_count: none */
	pid_t rolled_pid; /* pid of the process told to stop; 0: not told yet */
	bool reloading; /* RELOADING=1 was sent */
	int exit_code;
};

static void
set_state(struct supervisor *s, enum supervisor_state state)
{
	assert(state > s->state);
	s->state = state;
}

static bool
draining(const struct supervisor *s)
{
	return s->state >= SUPERVISOR_DRAINING;
}

static uint64_t
work_left(const struct supervisor *s)
{
	return s->by->work_left(s->by->context);
}

/* Starts a WAITING child. If the fork fails, the child keeps waiting. */
static void
start_child(struct supervisor *s, struct child *c)
{
	pid_t pid = child_fork(c, s->config);

	if (pid < 0) {
		uint64_t times = repeat_met(&s->no_fork, c->started_us);

		if (times > 0)
			log_error("cannot fork", LOG_STR("role", child_role_name(c)), LOG_STR("error", strerror(errno)),
			    LOG_UINT("times", times));
		c->start_at_us = clock_steady_us() + backoff_next_ms(&c->backoff) * 1000;
	} else if (pid == 0) {
		close(s->signal_fd);
		notify_close(&s->notify);
		exit(s->by->run(s->by->context, c->role->role, c->index));
	}
}

static void
kill_all(struct supervisor *s)
{
	if (s->state == SUPERVISOR_DRAINING)
		set_state(s, SUPERVISOR_KILLING);
	for (uint32_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];

		if (c->state == CHILD_WAITING)
			child_set_state(c, CHILD_DONE);
		child_signal(c, SIGKILL);
	}
}

/* Restarts dead processes once, to finish their inherited connections; afterwards they stay down. */
static void
start_for_the_last_time(struct supervisor *s)
{
	for (uint32_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];

		if (c->role->finishes_work || c->state != CHILD_WAITING)
			continue;
		start_child(s, c);
		if (c->state == CHILD_WAITING)
			child_set_state(c, CHILD_DONE);
	}
	s->by->on_last_start(s->by->context);
}

static void
begin_drain(struct supervisor *s, const char *why)
{
	set_state(s, SUPERVISOR_DRAINING);
	s->deadline_us = clock_steady_us() + (int64_t)s->config->drain_timeout_seconds * 1000000;
	s->rolling = s->child_count;
	s->by->on_drain(s->by->context);
	start_for_the_last_time(s);
	notify_send(&s->notify, "STOPPING=1\nSTATUS=draining: %s", why);
	log_info("draining", LOG_STR("reason", why), LOG_UINT(s->by->work_name, work_left(s)));
}

/* A role of the earliest phase with unfinished children; NULL: all are DONE. */
static const struct process_role *
role_to_drain(const struct supervisor *s)
{
	const struct process_role *role = NULL;

	for (uint32_t i = 0; i < s->child_count; i++) {
		const struct child *c = &s->children[i];

		if (c->state != CHILD_DONE && (role == NULL || c->role->drain_phase < role->drain_phase))
			role = c->role;
	}
	return role;
}

/*
 * While draining, only roles that finish work are needed: before their phase for work that may come, in it for work
 * left.
 */
static bool
needed(const struct supervisor *s, const struct child *c)
{
	if (!draining(s))
		return true;
	return c->role->finishes_work && (role_to_drain(s)->drain_phase < c->role->drain_phase || work_left(s) > 0);
}

static void
child_died(struct supervisor *s, struct child *c, int status)
{
	int64_t now = clock_steady_us();
	bool again = needed(s, c);
	uint32_t delay_ms = child_restart_delay_ms(c, now);

	child_report_death(c, status, now, again ? delay_ms : 0);
	c->start_at_us = now + (int64_t)delay_ms * 1000;
	child_set_state(c, again ? CHILD_WAITING : CHILD_DONE);
	if (c->short_lives >= RESTART_BUDGET && !c->role->may_keep_dying && !draining(s)) {
		log_error("restart budget used up: the process does not live for a second; giving up",
		    LOG_STR("role", child_role_name(c)), LOG_UINT("index", c->index),
		    LOG_UINT("tries", RESTART_BUDGET));
		s->exit_code = EXIT_FAILED;
		begin_drain(s, "restart budget used up");
	}
}

static void
child_ended(struct supervisor *s, struct child *c, int status)
{
	if (!child_stopped_as_told(c, status) && s->state != SUPERVISOR_KILLING) {
		child_died(s, c, status);
	} else if (draining(s)) {
		child_set_state(c, CHILD_DONE);
	} else {
		c->start_at_us = clock_steady_us(); /* rolled: start the successor at once */
		child_set_state(c, CHILD_WAITING);
	}
}

static void
reap_children(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (uint32_t i = 0; i < s->child_count; i++)
			if (s->children[i].pid == pid)
				child_ended(s, &s->children[i], status);
}

static void
on_hup(struct supervisor *s)
{
	log_info("SIGHUP: reopening files, replacing processes one by one");
	if (s->state == SUPERVISOR_SERVING) {
		s->reloading = true;
		notify_send(&s->notify, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_steady_us());
	}
	s->by->on_reload(s->by->context);
	for (uint32_t i = 0; i < s->child_count; i++)
		if (!s->children[i].role->rolls_on_hup)
			child_signal(&s->children[i], SIGHUP);
		else if (s->rolling > i)
			s->rolling = i;
	s->rolled_pid = 0;
}

static void
on_signal(struct supervisor *s, int signo)
{
	switch (signo) {
	case SIGCHLD:
		reap_children(s);
		break;
	case SIGHUP:
		if (!draining(s))
			on_hup(s);
		break;
	case SIGTERM:
	case SIGINT:
		if (!draining(s)) {
			begin_drain(s, strsignal(signo));
		} else {
			log_warning("second signal: leaving at once", LOG_STR("signal", strsignal(signo)));
			kill_all(s);
		}
		break;
	default:
		assert(!"a signal that is not in the set");
	}
}

static void
start_due_children(struct supervisor *s, int64_t now)
{
	for (uint32_t i = 0; i < s->child_count; i++)
		if (s->children[i].state == CHILD_WAITING && s->children[i].start_at_us <= now)
			start_child(s, &s->children[i]);
}

/* Whether the child's successor is ready. Tells the old process to stop, once. */
static bool
replaced(struct supervisor *s, struct child *c)
{
	if (s->rolled_pid == 0) {
		s->rolled_pid = c->pid;
		if (c->state == CHILD_RUNNING)
			child_stop(c);
		return false;
	}
	return c->state == CHILD_RUNNING && c->pid != s->rolled_pid && slot_state(c->slot) == PROCESS_READY;
}

/* Replaces one process at a time: stops the next one when this one's successor is ready. */
static void
roll(struct supervisor *s)
{
	for (; s->rolling < s->child_count; s->rolling++) {
		struct child *c = &s->children[s->rolling];

		if (c->role->rolls_on_hup && !replaced(s, c))
			return;
		s->rolled_pid = 0;
	}
	if (s->reloading)
		notify_send(&s->notify, "READY=1");
	s->reloading = false;
}

/*
 * Kills processes whose heartbeats are overdue. If the master itself has not checked for long (the whole tree or the
 * machine was stopped), lateness is no fault: all processes get the time once more.
 */
static void
kill_stuck(struct supervisor *s, int64_t now)
{
	uint32_t after = s->config->stuck_after_seconds;

	if (now - s->checked_us > 2 * 1000 * (int64_t)heartbeat_period_ms(after))
		s->granted_us = now;
	s->checked_us = now;
	if (s->state == SUPERVISOR_KILLING)
		return;
	for (uint32_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];
		int64_t granted_us = c->started_us > s->granted_us ? c->started_us : s->granted_us;

		if ((c->state != CHILD_RUNNING && c->state != CHILD_STOPPING) ||
		    !heartbeat_missed(c->slot, after, granted_us, now))
			continue;
		child_set_state(c, CHILD_STUCK);
		log_error("process is stuck: killing it", LOG_STR("role", child_role_name(c)),
		    LOG_UINT("index", c->index), LOG_INT("child", c->pid), LOG_STR("option", "STUCK_AFTER_SECONDS"));
		child_signal(c, SIGKILL);
	}
}

static void
feed_watchdog(struct supervisor *s, int64_t now)
{
	if (s->notify.watchdog_us == 0 || now < s->watchdog_at_us)
		return;
	s->watchdog_at_us = now + s->notify.watchdog_us / 2; /* as sd_watchdog_enabled(3) recommends */
	notify_send(&s->notify, "WATCHDOG=1");
}

/* Tells the processes of the current phase to stop. Returns false when no process is left. */
static bool
drain(struct supervisor *s, int64_t now)
{
	const struct process_role *role = role_to_drain(s);

	if (role == NULL)
		return false;
	for (uint32_t i = 0; i < s->child_count; i++)
		if (s->children[i].role->drain_phase == role->drain_phase && s->children[i].state == CHILD_RUNNING)
			child_stop(&s->children[i]);
	if (now >= s->deadline_us && s->state != SUPERVISOR_KILLING) {
		log_warning("drain time-out: killing the remaining processes",
		    LOG_STR("option", "DRAIN_TIMEOUT_SECONDS"), LOG_STR("role", role_table[role->role].name),
		    LOG_UINT(s->by->work_name, work_left(s)));
		kill_all(s);
	}
	return true;
}

static void
serve_when_ready(struct supervisor *s)
{
	char status[128] = "";

	if (s->state != SUPERVISOR_STARTING)
		return;
	for (uint32_t i = 0; i < s->child_count; i++)
		if (slot_state(s->children[i].slot) != PROCESS_READY)
			return;
	set_state(s, SUPERVISOR_SERVING);
	s->by->on_ready(s->by->context, status, sizeof status);
	notify_send(&s->notify, "READY=1\nSTATUS=%s", status);
}

static void
report_recovery(struct supervisor *s, int64_t now)
{
	uint64_t forks = repeat_over(&s->no_fork, now), polls = repeat_over(&s->no_poll, now);

	if (forks > 0)
		log_info("processes are forked again", LOG_UINT("times", forks));
	if (polls > 0)
		log_info("poll works again", LOG_UINT("times", polls));
}

/* Milliseconds until the next due time: at the latest the check of heartbeats and on_turn(). */
static int
ms_to_next_turn(const struct supervisor *s, int64_t now)
{
	int64_t beat_ms = heartbeat_period_ms(s->config->stuck_after_seconds);
	int64_t next = now + 1000 * (beat_ms < TURN_MS ? beat_ms : TURN_MS);

	if (s->state == SUPERVISOR_DRAINING && s->deadline_us < next)
		next = s->deadline_us;
	if (s->notify.watchdog_us != 0 && s->watchdog_at_us < next)
		next = s->watchdog_at_us;
	for (uint32_t i = 0; i < s->child_count; i++)
		if (s->children[i].state == CHILD_WAITING && s->children[i].start_at_us < next)
			next = s->children[i].start_at_us;
	return next <= now ? 0 : (int)((next - now + 999) / 1000);
}

static void
wait_for_events(struct supervisor *s, int64_t now)
{
	struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN}, {.fd = s->segment->master_fd, .events = POLLIN}};
	uint64_t announced;
	int signo;

	if (poll(fds, sizeof fds / sizeof *fds, ms_to_next_turn(s, now)) < 0 && errno != EINTR) {
		/* The kernel is short of memory: try again, while the children keep working. */
		uint64_t times = repeat_met(&s->no_poll, now);

		if (times > 0)
			log_error("poll failed", LOG_STR("error", strerror(errno)), LOG_UINT("times", times));
		(void)nanosleep(&(struct timespec){.tv_nsec = POLL_RETRY_MS * 1000 * 1000}, NULL);
	}
	(void)!read(s->segment->master_fd, &announced, sizeof announced);
	while ((signo = signals_next(s->signal_fd)) != 0)
		on_signal(s, signo);
}

/* One turn of the loop. Returns false when the drain is over. */
static bool
turn(struct supervisor *s)
{
	int64_t now = clock_steady_us();

	usage_update(&s->segment->header->usage, now);
	heartbeat_of_master(s->segment->header, now);
	s->by->on_turn(s->by->context);
	kill_stuck(s, now);
	feed_watchdog(s, now);
	report_recovery(s, now);
	start_due_children(s, now);
	if (!draining(s)) {
		serve_when_ready(s);
		roll(s);
	} else if (!drain(s, now)) {
		return false;
	}
	wait_for_events(s, now);
	return true;
}

static void
set_up_children(struct supervisor *s)
{
	s->children = mem_new(segment_slot_count(s->segment), sizeof *s->children);
	for (uint32_t r = 0; r < s->by->role_count; r++)
		for (uint32_t i = 0; i < s->segment->counts[s->by->roles[r].role]; i++)
			s->children[s->child_count++] = child_init(s->segment, &s->by->roles[r], i);
}

int
supervise(const struct supervision *supervision)
{
	struct supervisor s = {.by = supervision, .config = supervision->config, .segment = supervision->segment};

	s.signal_fd = signals_open(true);
	notify_open(&s.notify);
	usage_begin(&s.segment->header->usage);
	s.checked_us = clock_steady_us();
	heartbeat_of_master(s.segment->header, s.checked_us);
	set_up_children(&s);
	s.rolling = s.child_count;

	while (turn(&s))
		;

	free(s.children);
	notify_close(&s.notify);
	close(s.signal_fd);
	return s.exit_code;
}
