/* Hook events of SQLite for store_read(). */
#ifndef STORE_SQLITE_EVENT_READER_SQLITE_H
#define STORE_SQLITE_EVENT_READER_SQLITE_H

#include "config/config.h"
#include "store/event_reader.h"

/* As store_read(), of config->sqlite_path. */
int event_reader_sqlite(
    const struct config *config, const struct event_wish *filter, event_fn *fn, void *arg, struct error *err);

#endif
