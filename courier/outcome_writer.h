/*
 * Writes outcomes from the lane OUTCOMES to the store, many in one transaction. If the store refuses an outcome, less
 * of it is written: without its free texts, without its row in attempts, without disabling the endpoint, and at last
 * only so that the job's row waits for a day. An outcome that is refused in every form is dropped.
 */
#ifndef COURIER_OUTCOME_WRITER_H
#define COURIER_OUTCOME_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "courier/messages.h"
#include "courier/runs.h"
#include "shm/segment.h"
#include "store/db.h"

struct outcome_writer;

/*
 * courier: the number of the courier that has the lane; the lane's arena is mapped. segment, runs and messages are
 * borrowed. messages gets MESSAGE_REFUSED for a dropped outcome, and MESSAGE_HAS_ROWS for a job that waits although the
 * loop believes that it has ended. Never NULL.
 */
struct outcome_writer *outcome_writer_new(const struct segment *segment, uint32_t courier, const struct lane *lane,
    struct runs *runs, struct message_queue *messages);
void outcome_writer_free(struct outcome_writer *writer);

/* How many outcomes wait on the lane. */
uint32_t outcome_writer_waiting(const struct outcome_writer *writer);

/*
 * Writes some hundred outcomes and releases them; *released: the lane's position behind them. Changes only jobs of
 * node_id. A damaged outcome raises the courier's `missed`. As db_commit() without DB_REFUSED. After any result but 0
 * the outcomes stay on the lane; some of them may be stored already.
 */
int outcome_writer_write(
    struct outcome_writer *writer, struct db *db, int64_t node_id, uint32_t *released, struct error *err);

#endif
