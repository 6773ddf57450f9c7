/* Hook events of PostgreSQL for store_read(). */
#ifndef STORE_POSTGRES_EVENT_READER_POSTGRES_H
#define STORE_POSTGRES_EVENT_READER_POSTGRES_H

#include "config/config.h"
#include "store/event_reader.h"

/* As store_read(), of config->database_url. */
int event_reader_postgres(
    const struct config *config, const struct event_wish *filter, event_fn *fn, void *arg, struct error *err);

#endif
