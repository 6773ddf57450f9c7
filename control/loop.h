/*
 * The process that answers the management API: one thread takes frames from acceptors and gives requests to workers,
 * which use the webhooks' store.
 */
#ifndef CONTROL_LOOP_H
#define CONTROL_LOOP_H

#include "base/channel.h"
#include "config/config.h"
#include "shm/segment.h"

/*
 * Answers requests on the acceptors' channels, of which this process has the ends 1, until a signal stops it. Runs in
 * the child; the result is the exit code. Borrows its arguments for the life of the process.
 */
int control_main(const struct config *config, const struct segment *segment, const struct channels *frames);

#endif
