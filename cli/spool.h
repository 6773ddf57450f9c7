/* hooksctl spool: its actions, one file each where they are longer, and what they share. */
#ifndef CLI_SPOOL_H
#define CLI_SPOOL_H

#include "cli/spool_source.h"

/* Run the action on these files; return exit codes. */
int spool_export(const struct config *config, const struct spool_items *files);
int spool_replay(const struct config *config, const struct spool_items *files);

/* Prints the error on stderr, after path unless that is NULL. Returns COMMAND_FAILED. */
int spool_complain(const char *path, const struct error *err);

#endif
