/* The sink of published events (store/sink.h), for publishers: routes events and stores them with their jobs. */
#ifndef STORE_WEBHOOKS_SINK_PUBLISH_H
#define STORE_WEBHOOKS_SINK_PUBLISH_H

#include "config/config.h"
#include "store/dead_letter.h"
#include "store/sink.h"
#include "store/sink_env.h"

struct db;
struct db_env;

/* db_open() of store/webhooks_store.h, which knows the stores and makes this sink. */
typedef int connect_db(struct db **db, const struct config *config, const struct db_env *env, struct error *err);

/* config and env are borrowed for the sink's life. Never NULL. */
struct sink *sink_publish_new(const struct config *config, const struct sink_env *env, connect_db *connect_store);

/*
 * For hooksctl, which has no node: stores the event of a dead letter. sink was made with an env of zeros. Returns
 * DEAD_LETTER_STORED, _DUPLICATE or, with *reason, _REFUSED; or <0: the store is at fault, and may have stored the
 * event.
 */
int sink_publish_retry(
    struct sink *sink, const struct record *record, struct dead_letter_reason *reason, struct error *err);

#endif
