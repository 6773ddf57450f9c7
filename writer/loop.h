/*
 * The writer process, which stores hook events from its lanes in batches, and the publisher process, which does the
 * same with published events and the webhooks' store.
 */
#ifndef WRITER_LOOP_H
#define WRITER_LOOP_H

#include <stdint.h>

#include "config/config.h"
#include "shm/segment.h"

/*
 * Runs in the child process until TERM has come by signal_fd (base/signals.h) and the lanes are empty. HUP reopens the
 * sink's files. Returns the exit code: 0 drained, 1 failed.
 */
int writer_main(const struct config *config, const struct segment *segment, uint32_t index, int signal_fd);
int publisher_main(const struct config *config, const struct segment *segment, uint32_t index, int signal_fd);

#endif
