/* The files that `hooksctl spool` works on, of DATA_DIR's spools or named on the command line, and reading them. */
#ifndef CLI_SPOOL_SOURCE_H
#define CLI_SPOOL_SOURCE_H

#include "config/config.h"
#include "writer/spool_file.h"
#include "writer/spool_reader.h"

struct spool_item {
	char *path;
	const char *name; /* to print; within path: the name in DATA_DIR/spool, hl-spool/NAME, or what was given */
	bool published; /* it is in DATA_DIR/hl-spool; what a file that was named holds only its records tell */
	bool set_aside; /* damage that hooksd or a replay has moved out of the way */

	/* For the order. */
	int64_t created_us;
	struct spool_id id;
};

struct spool_items {
	struct spool_item *items;
	size_t count;
};

/*
 * The named files (NULL at the end), in that order; without names those of DATA_DIR's spools, the oldest first and, if
 * with_set_aside, damaged files last. Returns 0, also for an empty spool, or <0 when there is no such directory.
 * spool_items_free() is due in any case.
 */
int spool_find(
    struct spool_items *found, const struct config *config, char *const *names, bool with_set_aside, struct error *err);
void spool_items_free(struct spool_items *found);

/* One file, being read. */
struct spool_source {
	const char *path; /* the item's */
	int fd;
	uint64_t size; /* when it was opened */
	bool header_good; /* otherwise it is read from its first byte on */
	struct spool_header header;
	struct spool_reader reader; /* what spool_source_next() found */
	uint64_t at;
};

enum spool_source_condition { SPOOL_GONE = 1 };

/*
 * Opens with O_RDONLY or O_RDWR; reads the header only. 0: to be closed. SPOOL_GONE: hooksd has stored and removed the
 * file since spool_find(). <0: it cannot be opened or is no file; *err does not name the file.
 */
int spool_source_open(struct spool_source *source, const struct spool_item *item, int flags, struct error *err);
void spool_source_close(struct spool_source *source);

/*
 * Reads on behind what is stored already, into source->reader. RUN_DAMAGE and RUN_UNFINISHED are reported on stderr;
 * the second is an append that was never completed, so none of its events was acknowledged. <0: the file cannot be
 * read.
 */
enum spool_run { RUN_END, RUN_RECORDS, RUN_DAMAGE, RUN_UNFINISHED };
int spool_source_next(struct spool_source *source, struct error *err);

/* Prints the error on stderr, after path unless that is NULL. Returns COMMAND_FAILED (cli/commands.h). */
int spool_complain(const char *path, const struct error *err);

#endif
