/*
 * The supervisor: fork, reap, restart with backoff and budget, end what is stuck, drain, roll. Signals, deaths and the
 * children's announcements arrive on two descriptors of one poll loop; every decision is taken in its turns.
 */
#include "master/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/repeat.h"
#include "master/notify.h"
#include "base/signals.h"
#include "shm/heartbeat.h"

/* A process that dies this soon after its start did not work; so many of those in a row end the service. */
#define SHORT_LIFE_US (1000 * 1000)
#define RESTART_BUDGET 10
#define POLL_RETRY_MS 100
#define LOOK_MS 1000

struct child {
	const struct process_role *role;
	struct process_slot *slot;
	uint32_t index;
	pid_t pid; /* 0: not running */
	int64_t started_us; /* steady */
	int64_t start_at_us; /* when not running: when to start it; 0: never again */
	uint32_t short_lives;
	bool told_to_stop;
	bool stuck; /* and therefore killed, but not reaped yet */
	struct backoff backoff;
};

struct supervisor {
	const struct process_role *roles;
	uint32_t role_count;
	void *context;
	const struct config *config;
	const struct segment *segment;
	struct child *children;
	uint32_t child_count;
	int signal_fd;
	struct notify notify;
	int64_t watchdog_at_us; /* steady: when to say that the master lives */
	int64_t looked_us; /* steady: last look at the heartbeats */
	int64_t granted_us; /* steady: heartbeats missed before this are forgiven */
	bool ready; /* the ready line has been logged */
	bool reloading; /* said so to the service manager */
	bool draining;
	bool killed;
	int64_t deadline_us; /* steady; when draining */
	struct repeat no_fork, no_poll;
	uint32_t rolling; /* the child that is being replaced on HUP; child_count: none */
	pid_t rolled_pid; /* its predecessor, once told to stop; 0 before */
	int exit_code;
};

static void
start(struct supervisor *s, struct child *c)
{
	uint64_t alive_until_us = c->slot->alive_until_us;
	pid_t master = getpid();
	pid_t pid;

	slot_set_state(c->slot, PROCESS_STARTING);
	c->started_us = clock_steady_us();
	slot_set_started_us(c->slot, c->started_us);
	c->start_at_us = 0;
	c->told_to_stop = c->stuck = false;
	heartbeat(c->slot, 0);
	pid = fork();
	if (pid < 0) {
		uint64_t times = repeat_met(&s->no_fork, c->started_us);

		if (times > 0)
			log_error("cannot fork", LOG_STR("role", c->role->name), LOG_STR("error", strerror(errno)),
			    LOG_UINT("times", times));
		c->start_at_us = clock_steady_us() + backoff_next_ms(&c->backoff) * 1000;
		slot_set_state(c->slot, PROCESS_DOWN);
		c->slot->alive_until_us = alive_until_us; /* nobody lives there: see heartbeat_late() */
		return;
	}
	if (pid == 0) {
		char name[32];

		/* Killed at any instruction is safe by design, so a child need not learn gently that its master died. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != master)
			_exit(EXIT_FAILED);
		close(s->signal_fd);
		notify_close(&s->notify);
		signal(SIGINT, SIG_IGN); /* the terminal's Ctrl-C is for the master, which then drains in order */
		(void)snprintf(name, sizeof name, "%s-%u", c->role->name, c->index);
		prctl(PR_SET_NAME, name);
		log_init(name, s->config->log_level, s->config->log_format);
		slot_set_pid(c->slot, getpid());
		usage_begin(&c->slot->usage);
		exit(c->role->run(s->context, c->index));
	}
	c->pid = pid;
	slot_set_pid(c->slot, pid);
	log_debug("started", LOG_STR("role", c->role->name), LOG_UINT("index", c->index), LOG_INT("child", pid));
}

static void
tell(struct child *c, int signo)
{
	if (c->pid != 0)
		(void)kill(c->pid, signo);
}

static void
kill_all(struct supervisor *s)
{
	s->killed = true;
	for (uint32_t i = 0; i < s->child_count; i++) {
		s->children[i].start_at_us = 0;
		tell(&s->children[i], SIGKILL);
	}
}

/* The last role empties what the ones before it have left. */
static bool
last_role(const struct supervisor *s, const struct child *c)
{
	return c->role == &s->roles[s->role_count - 1];
}

static void
begin_drain(struct supervisor *s, const char *why)
{
	int64_t now = clock_steady_us();
	int64_t time_us = (int64_t)s->config->drain_timeout_seconds * 1000000;

	s->draining = true;
	segment_begin_drain(s->segment->header, now + time_us / 2);
	s->deadline_us = now + time_us;
	/* Who is down comes up once more to finish what it was left, if it can. */
	for (uint32_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];

		if (last_role(s, c))
			continue;
		if (c->pid == 0 && c->start_at_us != 0)
			start(s, c);
		c->start_at_us = 0;
	}
	s->rolling = s->child_count;
	for (uint32_t r = 0; r < s->role_count; r++)
		if (s->roles[r].on_drain != NULL)
			s->roles[r].on_drain(s->context);
	notify_send(&s->notify, "STOPPING=1\nSTATUS=draining: %s", why);
	log_info("draining", LOG_STR("reason", why), LOG_UINT("events_waiting", segment_events_waiting(s->segment)));
}

/* By signal; of those that are not here: DEATH_SIGNAL. */
static const enum death deaths[NSIG] = {
    [SIGABRT] = DEATH_SIGABRT, [SIGKILL] = DEATH_SIGKILL, [SIGSEGV] = DEATH_SIGSEGV};

static void
obituary(struct supervisor *s, struct child *c, int status)
{
	int64_t lived_us = clock_steady_us() - c->started_us;
	bool signalled = WIFSIGNALED(status);
	int code = signalled ? WTERMSIG(status) : WEXITSTATUS(status);
	bool asked = c->told_to_stop && !signalled && code == 0;
	const char *cause = c->stuck ? "stuck" : "exit";
	enum death death = c->stuck ? DEATH_STUCK : DEATH_EXIT;
	pid_t pid = c->pid;

	if (signalled && !c->stuck) {
		cause = strsignal(code);
		death = deaths[code];
	}
	c->pid = 0;
	slot_set_pid(c->slot, 0);
	slot_set_state(c->slot, PROCESS_DOWN);
	if (asked || s->killed) {
		log_debug(
		    "stopped", LOG_STR("role", c->role->name), LOG_UINT("index", c->index), LOG_INT("child", pid));
		/* Rolled: its successor takes over at once. Draining: it has done its part. */
		c->start_at_us = s->draining ? 0 : clock_steady_us();
		return;
	}

	uint32_t wait_ms = 0;

	if (lived_us >= SHORT_LIFE_US) {
		c->short_lives = 0;
		backoff_reset(&c->backoff);
	} else {
		c->short_lives++;
	}
	/* While draining, only the last role is needed, and only while there is something left for it to do. */
	if (!s->draining || (last_role(s, c) && (!c->told_to_stop || segment_events_waiting(s->segment) > 0)))
		wait_ms = backoff_next_ms(&c->backoff);
	c->start_at_us = wait_ms == 0 ? 0 : clock_steady_us() + (int64_t)wait_ms * 1000;
	counter_add(c->slot, c->role->restarts + death, 1);
	log_error("process died", LOG_STR("role", c->role->name), LOG_UINT("index", c->index), LOG_INT("child", pid),
	    LOG_STR("cause", cause), LOG_INT(signalled ? "signal" : "exit_code", code),
	    LOG_INT("lived_ms", lived_us / 1000), LOG_UINT("restart_in_ms", wait_ms));
	if (c->short_lives >= RESTART_BUDGET && !s->draining) {
		log_error("restart budget used up: the process does not live for a second; giving up",
		    LOG_STR("role", c->role->name), LOG_UINT("index", c->index), LOG_UINT("tries", RESTART_BUDGET));
		s->exit_code = EXIT_FAILED;
		begin_drain(s, "restart budget used up");
	}
}

static void
reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (uint32_t i = 0; i < s->child_count; i++)
			if (s->children[i].pid == pid)
				obituary(s, &s->children[i], status);
}

static void
on_hup(struct supervisor *s)
{
	log_info("SIGHUP: reopening files, replacing processes one by one");
	if (s->ready) {
		s->reloading = true;
		notify_send(&s->notify, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_steady_us());
	}
	for (uint32_t i = 0; i < s->child_count; i++)
		if (!s->children[i].role->rolls_on_hup)
			tell(&s->children[i], SIGHUP);
		else if (s->rolling > i)
			s->rolling = i;
	s->rolled_pid = 0;
}

static void
on_signal(struct supervisor *s, int signo)
{
	switch (signo) {
	case SIGCHLD:
		reap(s);
		break;
	case SIGHUP:
		if (!s->draining)
			on_hup(s);
		break;
	case SIGTERM:
	case SIGINT:
		if (!s->draining) {
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
start_what_is_due(struct supervisor *s, int64_t now)
{
	for (uint32_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];

		if (c->pid == 0 && c->start_at_us != 0 && c->start_at_us <= now)
			start(s, c);
	}
}

/* Replaces one process at a time: the next one is told to stop when this one's successor is ready. */
static void
roll(struct supervisor *s)
{
	while (s->rolling < s->child_count) {
		struct child *c = &s->children[s->rolling];

		if (c->role->rolls_on_hup && s->rolled_pid == 0) {
			if (c->pid == 0)
				return;
			s->rolled_pid = c->pid;
			c->told_to_stop = true;
			tell(c, SIGTERM);
			return;
		}
		if (c->role->rolls_on_hup &&
		    (c->pid == 0 || c->pid == s->rolled_pid || slot_state(c->slot) != PROCESS_READY))
			return;
		s->rolled_pid = 0;
		s->rolling++;
	}
	if (s->reloading)
		notify_send(&s->notify, "READY=1");
	s->reloading = false;
}

/*
 * Ends processes that should have said that they live. When the master itself has not looked for long (the whole tree was
 * stopped, or the machine) nobody can be blamed: all get the time once more.
 */
static void
end_stuck(struct supervisor *s, int64_t now)
{
	uint32_t after = s->config->stuck_after_seconds;

	if (now - s->looked_us > 2 * 1000 * (int64_t)heartbeat_period_ms(after))
		s->granted_us = now;
	s->looked_us = now;
	for (uint32_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];

		if (c->pid == 0 || c->stuck || s->killed || !heartbeat_missed(c->slot, after, s->granted_us, now))
			continue;
		c->stuck = true;
		log_error("process is stuck: killing it", LOG_STR("role", c->role->name), LOG_UINT("index", c->index),
		    LOG_INT("child", c->pid), LOG_STR("option", "STUCK_AFTER_SECONDS"));
		tell(c, SIGKILL);
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

/* Tells the processes whose turn it is to stop. Returns false when none are left. */
static bool
drain(struct supervisor *s, int64_t now)
{
	const struct process_role *role = NULL;

	for (uint32_t i = 0; i < s->child_count && role == NULL; i++)
		if (s->children[i].pid != 0 || s->children[i].start_at_us != 0)
			role = s->children[i].role;
	if (role == NULL)
		return false;
	for (uint32_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];

		if (c->role == role && c->pid != 0 && !c->told_to_stop) {
			c->told_to_stop = true;
			tell(c, SIGTERM);
		}
	}
	if (now >= s->deadline_us && !s->killed) {
		log_warning("drain time-out: stopping what is left", LOG_STR("option", "DRAIN_TIMEOUT_SECONDS"),
		    LOG_STR("role", role->name), LOG_UINT("events_waiting", segment_events_waiting(s->segment)));
		kill_all(s);
	}
	return true;
}

static void
log_when_ready(struct supervisor *s)
{
	if (s->ready)
		return;
	for (uint32_t i = 0; i < s->child_count; i++)
		if (slot_state(s->children[i].slot) != PROCESS_READY)
			return;
	s->ready = true;
	notify_send(&s->notify, "READY=1\nSTATUS=serving on %s port %u, storage %s", s->config->host, s->config->port,
	    storage_name(s->config->storage));
	log_info("ready", LOG_STR("host", s->config->host), LOG_UINT("port", s->config->port),
	    LOG_STR("storage", storage_name(s->config->storage)),
	    LOG_STR("ack", s->config->ack == ACK_DURABLE ? "durable" : "queued"),
	    LOG_UINT("acceptors", s->segment->counts[ROLE_ACCEPTOR]),
	    LOG_UINT("writers", s->segment->counts[ROLE_WRITER]));
}

static void
tell_what_is_over(struct supervisor *s, int64_t now)
{
	uint64_t forks = repeat_over(&s->no_fork, now), polls = repeat_over(&s->no_poll, now);

	if (forks > 0)
		log_info("processes are forked again", LOG_UINT("times", forks));
	if (polls > 0)
		log_info("poll works again", LOG_UINT("times", polls));
}

/* Milliseconds until the next thing that is due by the clock: at the latest, a look at the heartbeats and at files. */
static int
time_to_next(const struct supervisor *s, int64_t now)
{
	int64_t beat_ms = heartbeat_period_ms(s->config->stuck_after_seconds);
	int64_t next = now + 1000 * (beat_ms < LOOK_MS ? beat_ms : LOOK_MS);

	if (s->draining && !s->killed && s->deadline_us < next)
		next = s->deadline_us;
	if (s->notify.watchdog_us != 0 && s->watchdog_at_us < next)
		next = s->watchdog_at_us;
	for (uint32_t i = 0; i < s->child_count; i++)
		if (s->children[i].start_at_us != 0 && s->children[i].start_at_us < next)
			next = s->children[i].start_at_us;
	return next <= now ? 0 : (int)((next - now + 999) / 1000);
}

int
supervise(const struct process_role *roles, uint32_t count, void *context, void (*look)(void *context),
    const struct config *config, const struct segment *segment)
{
	struct supervisor s = {
	    .roles = roles, .role_count = count, .context = context, .config = config, .segment = segment};

	s.signal_fd = signals_open(true);
	notify_open(&s.notify);
	usage_begin(&segment->header->usage);
	s.looked_us = clock_steady_us();
	heartbeat_of_master(segment->header, s.looked_us);
	for (uint32_t r = 0; r < count; r++)
		s.child_count += roles[r].count;
	s.rolling = s.child_count;
	s.children = mem_new(s.child_count, sizeof *s.children);
	for (uint32_t r = 0, i = 0; r < count; r++)
		for (uint32_t k = 0; k < roles[r].count; k++, i++)
			s.children[i] = (struct child){
			    .role = &roles[r],
			    .slot = segment_slot_at(segment, roles[r].first_slot + k),
			    .index = k,
			    .start_at_us = 1,
			    .backoff = {.first_ms = 50, .cap_ms = 2000},
			};

	for (;;) {
		struct pollfd fds[] = {
		    {.fd = s.signal_fd, .events = POLLIN}, {.fd = segment->master_fd, .events = POLLIN}};
		int64_t now = clock_steady_us();
		uint64_t announced;
		int signo;

		usage_note(&segment->header->usage, now);
		heartbeat_of_master(segment->header, now);
		look(context);
		end_stuck(&s, now);
		feed_watchdog(&s, now);
		tell_what_is_over(&s, now);
		start_what_is_due(&s, now);
		if (s.draining) {
			if (!drain(&s, now))
				break;
		} else {
			log_when_ready(&s);
			roll(&s);
		}
		if (poll(fds, 2, time_to_next(&s, now)) < 0 && errno != EINTR) {
			/* The kernel is short of memory: that passes, and the children work on meanwhile. */
			uint64_t times = repeat_met(&s.no_poll, now);

			if (times > 0)
				log_error("poll failed", LOG_STR("error", strerror(errno)), LOG_UINT("times", times));
			(void)nanosleep(&(struct timespec){.tv_nsec = POLL_RETRY_MS * 1000 * 1000}, NULL);
		}
		(void)!read(segment->master_fd, &announced, sizeof announced);
		while ((signo = signals_next(s.signal_fd)) != 0)
			on_signal(&s, signo);
	}

	free(s.children);
	notify_close(&s.notify);
	close(s.signal_fd);
	return s.exit_code;
}
