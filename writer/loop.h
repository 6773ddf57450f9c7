/* The writer process: takes batches from its lanes to the store. */
#ifndef WRITER_LOOP_H
#define WRITER_LOOP_H

#include <stdint.h>

#include "config/config.h"
#include "shm/segment.h"

/*
 * Runs until it is told to drain (a byte of signal_fd: TERM) and its lanes are empty. HUP reopens the sink's files.
 * Runs in the child; its result is the exit code: 0 drained, 1 failed.
 */
int writer_main(const struct config *config, const struct segment *segment, uint32_t index, int signal_fd);

#endif
