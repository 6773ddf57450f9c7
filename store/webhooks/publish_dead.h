/* Makes dead letters of published events that the webhooks' store has refused for good, and finds what is at fault. */
#ifndef STORE_WEBHOOKS_PUBLISH_DEAD_H
#define STORE_WEBHOOKS_PUBLISH_DEAD_H

#include "base/error.h"
#include "base/repeat.h"
#include "store/dead_letter.h"
#include "store/dead_letter_file.h"
#include "store/webhooks/publication.h"

/*
 * What is at fault for a refusal, by its SQLSTATE. EVENT: a value of the event. UNCLEAR: the event, if the store takes
 * other events. STORE: the store.
 */
enum blame { BLAME_EVENT, BLAME_UNCLEAR, BLAME_STORE };
enum blame blame_of(const char *sqlstate);

struct publish_dead {
	struct dead_letter_file file;
	struct repeat refused, conflicts; /* for the log */
	bool file_used; /* since the last publish_dead_sync() */
	struct dead_letter_reason *reason; /* not NULL: takes a refusal instead of the file; borrowed */
};

/* data_dir is borrowed. publish_dead_free() releases everything but the struct. */
void publish_dead_init(struct publish_dead *dead, const char *data_dir);
void publish_dead_free(struct publish_dead *dead);

/*
 * Makes a dead letter of an event that the store has refused with that SQLSTATE and message: its outcome is
 * PUBLISH_DEAD. Durable after publish_dead_sync(). 0 or <0.
 */
int publish_dead_refused(
    struct publish_dead *dead, struct publication *item, const char *sqlstate, const char *message, struct error *err);

/* The same for an event with the outcome PUBLISH_CONFLICT whose client no longer waits. */
int publish_dead_conflict(struct publish_dead *dead, struct publication *item, struct error *err);

/* 0, or <0: none of the dead letters since the last call may be relied on. */
int publish_dead_sync(struct publish_dead *dead, struct error *err);

#endif
