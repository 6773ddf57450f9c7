/*
 * A supervisor with fake processes: acceptors, writers and couriers (fake_roles.h) that run a function of the test, and
 * what they record in memory that all of them share. Include after cmocka.h.
 */
#ifndef TESTS_SUPERVISOR_FIXTURE_H
#define TESTS_SUPERVISOR_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "master/supervisor.h"
#include "shm/segment.h"

enum happening { STARTED, HUNG_UP, TOLD_TO_STOP, STOPPED };

#define ANY UINT32_MAX

struct stage;

/* What a test sets before it calls stage_supervise(). Without a function nothing happens. */
struct stage {
	struct process_role rules[ROLES];
	struct config config;
	struct segment segment;
	int (*play)(const struct stage *stage, enum role role, uint32_t index); /* a process's life */
	void (*on_ready)(const struct stage *stage); /* in the master */
	void (*on_turn)(const struct stage *stage); /* in the master */
	uint64_t (*work_left)(const struct stage *stage); /* in the master */
	struct record_book *book; /* shared */
};

/* A stage of so many acceptors and writers, and one courier more than writers. Phases: acceptors, couriers, writers. */
void stage_open(struct stage *stage, uint32_t acceptors, uint32_t writers);
void stage_close(struct stage *stage);

/* Returns the supervisor's exit code. */
int stage_supervise(struct stage *stage);

/* Records that this process has come so far. Any process. */
void stage_record(const struct stage *stage, enum happening happening, enum role role, uint32_t index);

/* How often that happened; index may be ANY. */
uint32_t stage_count(const struct stage *stage, enum happening happening, enum role role, uint32_t index);

/* The number of the n-th such record, from 1 on, among all records; fails if there are fewer. */
uint32_t stage_when(const struct stage *stage, enum happening happening, enum role role, uint32_t index, uint32_t n);

/*
 * An ordinary life: announces that the process is ready, records HUP, and returns when it is told to stop. While it
 * waits it calls work(), if there is one.
 */
void stage_live(const struct stage *stage, enum role role, uint32_t index, void (*work)(void *context), void *context);

/* For a master: what a user does with kill(1); each signal once only, because a second TERM kills. */
void stage_signal_master(int signo);

#endif
