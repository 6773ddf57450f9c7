/* hooksctl deadletter retry: storing events again. */
#ifndef CLI_DEADLETTER_RETRY_H
#define CLI_DEADLETTER_RETRY_H

#include "config/config.h"
#include "store/dead_letter.h"

struct dead_letter_db;

/* Stores the events of the selected letters; db is NULL without a database. Returns an exit code. */
int deadletter_retry(const struct config *config, struct dead_letter_db *db, const struct dead_letter_selection *which);

#endif
