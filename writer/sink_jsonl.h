/* The JSONL sink's constructor; apart from writer/sink.h because it works on the segment's journal. */
#ifndef WRITER_SINK_JSONL_H
#define WRITER_SINK_JSONL_H

#include "writer/intake.h"
#include "writer/sink.h"

/* Borrows both for the sink's life. The batch given to store() must be intake's. */
struct sink *sink_jsonl_new(const struct config *config, struct intake *intake);

#endif
