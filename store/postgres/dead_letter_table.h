/* A writer's dead letters: events that PostgreSQL refuses for good, in the table hook_events_dead_letters. */
#ifndef STORE_POSTGRES_DEAD_LETTER_TABLE_H
#define STORE_POSTGRES_DEAD_LETTER_TABLE_H

#include "base/error.h"
#include "event/record.h"
#include "store/dead_letter_text.h"
#include "store/postgres/pg_session.h"

/*
 * Adds one letter in a transaction of its own. An existing letter for the same event and day stays as it is. Returns as
 * pg_exec_params(): 0: committed; PG_REFUSED: the table is missing, the role lacks the right, or a constraint refuses;
 * or <0.
 */
int dead_letter_table_add(
    struct session *session, const struct refused *refused, const struct record *record, struct error *err);

#endif
