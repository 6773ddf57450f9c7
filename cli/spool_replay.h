/* hooksctl spool replay. */
#ifndef CLI_SPOOL_REPLAY_H
#define CLI_SPOOL_REPLAY_H

#include "cli/spool_source.h"

/* Stores the events of the files, and removes completely stored files. Returns an exit code. */
int spool_replay(const struct config *config, const struct spool_items *files);

#endif
