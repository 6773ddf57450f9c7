/* The JSONL sink's constructor; apart from writer/sink.h because it works on the segment's ledgers. */
#ifndef WRITER_SINK_JSONL_H
#define WRITER_SINK_JSONL_H

#include "base/config.h"
#include "shm/segment.h"
#include "writer/sink.h"

/* As those in writer/sink.h. segment is borrowed, too; slot is the writer's own. */
struct sink *sink_jsonl_new(const struct config *config, const struct segment *segment, struct process_slot *slot);

/*
 * Cuts off what the writers of an earlier run, whose store was a JSONL file, have appended and not committed. For a
 * writer whose store is another one. Returns 0 or <0.
 */
int sink_jsonl_recover(const struct config *config, const struct segment *segment, struct error *err);

#endif
