/* hooksctl store migrate: moves the whole webhooks' store to another database. */
#ifndef CLI_STORE_MIGRATE_H
#define CLI_STORE_MIGRATE_H

#include "config/config.h"

/* As a command of cli/commands.h. words: those of `hooksctl store`. */
int store_migrate_command(const struct config *config, char *const *words);

/* The store of the options, from which a move has taken everything, may be used again. As above. */
int store_reopen_command(const struct config *config);

#endif
