/* The JSONL sink's constructor; apart from store/sink.h because it works on the segment's ledgers. */
#ifndef STORE_JSONL_SINK_JSONL_H
#define STORE_JSONL_SINK_JSONL_H

#include "config/config.h"
#include "shm/segment.h"
#include "store/sink.h"

/* As those in store/sink.h. segment is borrowed, too; slot is the writer's own. */
struct sink *sink_jsonl_new(const struct config *config, const struct segment *segment, struct process_slot *slot);

/*
 * Cuts off what the writers of an earlier run, whose store was a JSONL file, have appended and not committed. For a
 * writer whose store is another one. Returns 0 or <0.
 */
int sink_jsonl_recover(const struct config *config, const struct segment *segment, struct error *err);

#endif
