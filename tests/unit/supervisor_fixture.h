/*
 * Runs a supervisor with fake processes: acceptors, writers and couriers (fake_roles.h) that run a function of the
 * test. They record what happens in memory that all of them share. Include after cmocka.h.
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

/* The fields that a test sets before it calls stage_supervise(). Nothing happens where a function is NULL. */
struct stage {
	struct process_role rules[ROLES];
	struct config config;
	struct segment segment;
	int (*play)(const struct stage *stage, enum role role, uint32_t index); /* the life of each process */
	void (*on_ready)(const struct stage *stage); /* called in the master */
	void (*on_turn)(const struct stage *stage); /* called in the master */
	uint64_t (*work_left)(const struct stage *stage); /* called in the master */
	struct record_book *book; /* shared memory */
};

/*
 * Makes a stage of so many acceptors and writers, and one courier more than writers. They stop in three phases:
 * acceptors, couriers, writers.
 */
void stage_open(struct stage *stage, uint32_t acceptors, uint32_t writers);
void stage_close(struct stage *stage);

/* Runs the supervisor. Returns its exit code. */
int stage_supervise(struct stage *stage);

/* Records that this has happened to the process. Any process may call it. */
void stage_record(const struct stage *stage, enum happening happening, enum role role, uint32_t index);

/* How often that has happened. index may be ANY. */
uint32_t stage_count(const struct stage *stage, enum happening happening, enum role role, uint32_t index);

/* The position of the n-th such record, from 1 on, among all records. Fails the test if there are fewer. */
uint32_t stage_when(const struct stage *stage, enum happening happening, enum role role, uint32_t index, uint32_t n);

/*
 * The life of an ordinary process: announces that it is ready, records HUP, and returns when it has to stop. While it
 * waits it calls work(), unless that is NULL.
 */
void stage_live(const struct stage *stage, enum role role, uint32_t index, void (*work)(void *context), void *context);

/*
 * Sends the signal to the master, which calls it, as kill(1) does. Each signal is sent only once, because a second TERM
 * kills.
 */
void stage_signal_master(int signo);

#endif
