/* How far a long command is, on the standard error: a bar on a terminal, else a line now and then. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* is done: "moving" */
	uint64_t total; /* 0: nobody knows */
	uint64_t done, before; /* before: it was done when this run began */
	int64_t began_us, shown_us; /* steady */
	bool terminal;
};

/* what is borrowed. before of the total are done already. */
void progress_begin(struct progress *progress, const char *what, uint64_t total, uint64_t before);

/* So many more are done. */
void progress_add(struct progress *progress, uint64_t count);

/* Takes the bar away. */
void progress_end(struct progress *progress);

#endif
