/* Forks and stops a child, reports its death, and changes its state. */
#include "master/child.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_codes.h"
#include "base/log.h"
#include "shm/counters.h"
#include "shm/heartbeat.h"

#define SHORT_LIFE_US (1000 * 1000)

#define X(symbol, name) name,
static const char *const state_names[CHILD_STATES] = {CHILD_STATE_LIST(X)};
#undef X

#define TO(state) (1u << CHILD_##state)
static const uint32_t allowed_changes[CHILD_STATES] = {
    [CHILD_WAITING] = TO(RUNNING) | TO(DONE),
    [CHILD_RUNNING] = TO(STOPPING) | TO(STUCK) | TO(WAITING) | TO(DONE),
    [CHILD_STOPPING] = TO(STUCK) | TO(WAITING) | TO(DONE),
    [CHILD_STUCK] = TO(WAITING) | TO(DONE),
};
#undef TO

struct child
child_init(const struct segment *segment, const struct process_role *role, uint32_t index)
{
	return (struct child){
	    .role = role,
	    .index = index,
	    .slot = segment_slot(segment, role->role, index),
	    .state = CHILD_WAITING,
	    .backoff = {.first_ms = 50, .cap_ms = 2000},
	};
}

const char *
child_role_name(const struct child *child)
{
	return role_table[child->role->role].name;
}

void
child_set_state(struct child *child, enum child_state state)
{
	assert((allowed_changes[child->state] & (1u << state)) != 0);
	log_debug("process changes state", LOG_STR("role", child_role_name(child)), LOG_UINT("index", child->index),
	    LOG_INT("child", child->pid), LOG_STR("from", state_names[child->state]),
	    LOG_STR("to", state_names[state]));
	child->state = state;
	if (state == CHILD_WAITING || state == CHILD_DONE) {
		child->pid = 0;
		slot_end(child->slot);
	}
}

static void
set_up_process(const struct child *child, pid_t master, const struct config *config)
{
	char name[32];

	/* A child may be killed at any instruction by design, so it simply dies with its master. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != master)
		_exit(EXIT_FAILED);
	slot_begin(child->slot, getpid(), child->started_us);
	heartbeat(child->slot, 0);
	usage_begin(&child->slot->usage);
	signal(SIGINT, SIG_IGN); /* Ctrl-C is for the master, which then drains in order */
	(void)snprintf(name, sizeof name, "%s-%u", child_role_name(child), child->index);
	prctl(PR_SET_NAME, name);
	log_init(name, config->log_level, config->log_format);
}

pid_t
child_fork(struct child *child, const struct config *config)
{
	pid_t master = getpid();

	child->started_us = clock_steady_us();

	pid_t pid = fork();

	if (pid == 0) {
		set_up_process(child, master, config);
	} else if (pid > 0) {
		child->pid = pid;
		child_set_state(child, CHILD_RUNNING);
	}
	return pid;
}

void
child_signal(const struct child *child, int signo)
{
	if (child->pid != 0)
		(void)kill(child->pid, signo);
}

void
child_stop(struct child *child)
{
	child_set_state(child, CHILD_STOPPING);
	child_signal(child, SIGTERM);
}

bool
child_stopped_as_told(const struct child *child, int status)
{
	return child->state == CHILD_STOPPING && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

uint32_t
child_restart_delay_ms(struct child *child, int64_t now_us)
{
	if (now_us - child->started_us < SHORT_LIFE_US) {
		child->short_lives++;
	} else {
		child->short_lives = 0;
		backoff_reset(&child->backoff);
	}
	return backoff_next_ms(&child->backoff);
}

/* By signal; others are DEATH_SIGNAL (0). */
static const enum death deaths[NSIG] = {
    [SIGABRT] = DEATH_SIGABRT, [SIGKILL] = DEATH_SIGKILL, [SIGSEGV] = DEATH_SIGSEGV};

void
child_report_death(const struct child *child, int status, int64_t now_us, uint32_t restart_in_ms)
{
	bool stuck = child->state == CHILD_STUCK, signalled = WIFSIGNALED(status);
	int code = signalled ? WTERMSIG(status) : WEXITSTATUS(status);
	const char *cause = stuck ? "stuck" : signalled ? strsignal(code) : "exit";
	enum death death = stuck ? DEATH_STUCK : signalled ? deaths[code] : DEATH_EXIT;

	counter_add(child->slot, counter_of_restarts(child->role->role, death), 1);
	log_error("process died", LOG_STR("role", child_role_name(child)), LOG_UINT("index", child->index),
	    LOG_INT("child", child->pid), LOG_STR("cause", cause), LOG_INT(signalled ? "signal" : "exit_code", code),
	    LOG_INT("lived_ms", (now_us - child->started_us) / 1000), LOG_UINT("restart_in_ms", restart_in_ms));
}
