/* The actions of `hooksctl spool`, and the files they look at: those of DATA_DIR/spool, or those named. */
#ifndef CLI_SPOOL_H
#define CLI_SPOOL_H

#include "config/config.h"
#include "writer/spool_file.h"

struct spool_item {
	char *path;
	const char
	    *name; /* for people: within the path, the file's name in DATA_DIR/spool; else the path that was given */
	bool set_aside; /* damage that hooksd or a replay has moved out of the way */

	/* For the order. */
	int64_t created_us;
	uint64_t sequence;
	uint32_t writer;
};

struct spool_items {
	struct spool_item *items;
	size_t count;
};

/*
 * The named files (NULL at the end), in that order, or without names those of DATA_DIR/spool, the oldest first and, if
 * that is asked for, what is set aside last. Returns 0, also for an empty spool, or <0: there is no such directory.
 * Release in any case.
 */
int spool_find(
    struct spool_items *found, const struct config *config, char *const *names, bool set_aside_too, struct error *err);
void spool_items_free(struct spool_items *found);

/* A file of the spool, or what is left of one, being read. */
struct spool_source {
	const char *path; /* the item's */
	int fd;
	uint64_t size; /* when it was opened */
	bool header_good; /* else it is read from its first byte on */
	struct spool_header header;
	struct spool_reader reader; /* what spool_source_next() found */
	uint64_t at;
};

enum spool_source_condition { SPOOL_GONE = 1 };

/*
 * Opens with O_RDONLY or O_RDWR; reads the header only. 0, to be closed; SPOOL_GONE: hooksd has stored it since it was
 * found; <0: it cannot be opened or is no file. *err does not name the file.
 */
int spool_source_open(struct spool_source *source, const struct spool_item *item, int flags, struct error *err);
void spool_source_close(struct spool_source *source);

/*
 * What stands next among that which is not stored yet, in source->reader: a run of records; damage, told on stderr; an
 * append that was never completed (none of its events was acknowledged), told too; or the end. <0: it cannot be read.
 */
enum spool_run { RUN_END, RUN_RECORDS, RUN_DAMAGE, RUN_UNFINISHED };
int spool_source_next(struct spool_source *source, struct error *err);

/* Prints the sentence on stderr; path may be NULL. Returns COMMAND_FAILED. */
int spool_complain(const char *path, const struct error *err);

/* The actions; they return exit codes. */
int spool_export(const struct config *config, const struct spool_items *files);
int spool_replay(const struct config *config, const struct spool_items *files);

#endif
