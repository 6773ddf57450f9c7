/* Finds and reads the files for `hooksctl spool`, in DATA_DIR's spools or named on the command line. */
#ifndef CLI_SPOOL_SOURCE_H
#define CLI_SPOOL_SOURCE_H

#include "config/config.h"
#include "writer/spool_file.h"
#include "writer/spool_reader.h"

struct spool_item {
	char *path;
	const char *name; /* to print; within path: the name in DATA_DIR/spool, hl-spool/NAME, or as given */
	bool published; /* it is in DATA_DIR/hl-spool; for a named file only its records show the kind */
	bool set_aside; /* damage that hooksd or a replay has set aside */

	/* For sorting. */
	int64_t created_us;
	struct spool_id id;
};

struct spool_items {
	struct spool_item *items;
	size_t count;
};

/*
 * Finds the named files (NULL at the end), in that order; without names those of DATA_DIR's spools, oldest first and,
 * if with_set_aside, damaged files last. Returns 0, also for an empty spool, or <0: there is no such directory. Call
 * spool_items_free() in any case.
 */
int spool_find(
    struct spool_items *found, const struct config *config, char *const *names, bool with_set_aside, struct error *err);
void spool_items_free(struct spool_items *found);

/* One file, being read. */
struct spool_source {
	const char *path; /* the item's */
	int fd;
	uint64_t size; /* when it was opened */
	bool header_good; /* false: read from the first byte */
	struct spool_header header;
	struct spool_reader reader; /* result of spool_source_next() */
	uint64_t at;
};

enum spool_source_condition { SPOOL_GONE = 1 };

/*
 * Opens with O_RDONLY or O_RDWR, and reads only the header. 0: close it later. SPOOL_GONE: hooksd has stored and
 * removed the file since spool_find(). <0: it cannot be opened or is no file; *err does not name the file.
 */
int spool_source_open(struct spool_source *source, const struct spool_item *item, int flags, struct error *err);
void spool_source_close(struct spool_source *source);

/*
 * Reads on behind the stored events, into source->reader. Reports RUN_DAMAGE and RUN_UNFINISHED on stderr; the latter
 * is an append that was never completed, so none of its events was acknowledged. <0: the file cannot be read.
 */
enum spool_run { RUN_END, RUN_RECORDS, RUN_DAMAGE, RUN_UNFINISHED };
int spool_source_next(struct spool_source *source, struct error *err);

/* Prints the error on stderr, after path unless that is NULL. Returns COMMAND_FAILED (cli/commands.h). */
int spool_complain(const char *path, const struct error *err);

#endif
