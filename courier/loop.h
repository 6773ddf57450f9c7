/*
 * The courier process: posts jobs to endpoints. Two threads: this loop, which never waits for a store, and the store
 * thread (courier/store_thread.h).
 */
#ifndef COURIER_LOOP_H
#define COURIER_LOOP_H

#include <stdint.h>

#include "config/config.h"
#include "shm/segment.h"

/*
 * Runs in the child process until signal_fd (base/signals.h) delivers TERM. Attempts under way then have five seconds,
 * their outcomes three more. Borrows its arguments for the life of the process. Returns the exit code.
 */
int courier_main(const struct config *config, const struct segment *segment, uint32_t index, int signal_fd);

#endif
