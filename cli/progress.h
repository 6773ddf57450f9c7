/* Shows the progress of a long command on stderr: a bar on a terminal, otherwise a line now and then. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* the activity: "moving" */
	uint64_t total; /* 0: unknown */
	uint64_t done, before; /* before: done before this run */
	int64_t began_us, shown_us; /* steady */
	bool terminal;
};

/* Begins. what is borrowed. before: how many of the total are done already. */
void progress_begin(struct progress *progress, const char *what, uint64_t total, uint64_t before);

/* Adds to the number done. */
void progress_add(struct progress *progress, uint64_t count);

/* Removes the bar. */
void progress_end(struct progress *progress);

#endif
