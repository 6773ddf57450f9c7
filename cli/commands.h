/* hooksctl's subcommands, each in a file of its own, with the same signature. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "config/config.h"

/* Exit codes; docs/operations.md documents them. 64 is EX_USAGE of sysexits(3). */
enum command_exit {
	COMMAND_OK = 0,
	COMMAND_FAILED = 1,
	COMMAND_WARNED = 2, /* doctor only: nothing failed, but there are warnings */
	COMMAND_USAGE = 64,
};

/*
 * A command returns an exit code. words: the words between its name and the first flag, then its own flags
 * (cli/command_words.h) with their values, NULL at the end; empty for a command that takes none.
 */

/* Prints processes, lanes and counters of the hooksd that has config's ring. */
int command_status(const struct config *config, char *const *words);

/* Asks a running hooksd over HTTP for its health. Its usage is printed by --help. */
int command_health(const struct config *config, char *const *words);
extern const char command_health_usage[];

/* Migrates the schema in DATABASE_URL, or with STORAGE_TYPE=sqlite in SQLITE_PATH, to this program's version. */
int command_migrate(const struct config *config, char *const *words);

/* Lists, shows, exports and retries the events that PostgreSQL refused. Its usage is printed by --help. */
int command_deadletter(const struct config *config, char *const *words);
extern const char command_deadletter_usage[];

/* Checks everything that hooksd needs, and reports faults. Its usage is printed by --help. */
int command_doctor(const struct config *config, char *const *words);
extern const char command_doctor_usage[];
extern const char *const command_doctor_flags[];

/* Lists, verifies, exports and stores the events in the spool's files. Its usage is printed by --help. */
int command_spool(const struct config *config, char *const *words);
extern const char command_spool_usage[];

/* Prints a ring's file, or copies it. Its usage is printed by --help. */
int command_ring(const struct config *config, char *const *words);
extern const char command_ring_usage[];
extern const char *const command_ring_flags[];

/* Copy hook events between stores. Their usages are printed by --help. */
int command_import(const struct config *config, char *const *words);
int command_export(const struct config *config, char *const *words);
extern const char command_import_usage[], command_export_usage[];
extern const char *const command_transfer_flags[];

/* Works on the webhooks' store. Its usage is printed by --help. */
int command_store(const struct config *config, char *const *words);
extern const char command_store_usage[];
extern const char *const command_store_flags[];

#endif
