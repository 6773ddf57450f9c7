/*
 * The store thread's way from the lane OUTCOMES to the store: what stands on the lane becomes rows, in one transaction.
 * What the store refuses is written alone, then without its free texts, then without its row in attempts.
 */
#ifndef COURIER_OUTCOME_WRITER_H
#define COURIER_OUTCOME_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "courier/runs.h"
#include "shm/segment.h"
#include "store/db.h"

#define OUTCOMES_AT_ONCE 500

struct outcome_writer;

/* The lane's arena is mapped; segment and runs are borrowed. Never NULL. */
struct outcome_writer *outcome_writer_new(const struct segment *segment, const struct lane *lane, struct runs *runs);
void outcome_writer_free(struct outcome_writer *writer);

/* How many outcomes wait on the lane. */
uint32_t outcome_writer_waiting(const struct outcome_writer *writer);

/*
 * Writes up to OUTCOMES_AT_ONCE outcomes and releases them; *released: the lane's position behind them. As db_commit();
 * DB_REFUSED: the store takes an outcome in no form. After any result but 0 the outcomes stay on the lane, some of them
 * perhaps stored already.
 */
int outcome_writer_write(struct outcome_writer *writer, struct db *db, uint32_t *released, struct error *err);

#endif
