/*
 * The name of the ring file. The processes use its descriptor and need no name, but the next master does. The name may
 * be removed while they run: by a log-out with RemoveIPC=yes, a cleanup of /dev/shm, a person. Master only.
 */
#ifndef MASTER_RING_FILE_H
#define MASTER_RING_FILE_H

#include "config/config.h"
#include "shm/segment.h"

/*
 * Checks that RING_PATH still names the file. Logs a change and records it in the segment: without the name, acceptors
 * do not acknowledge events that are only on the ring.
 */
void ring_file_check(const struct config *config, const struct segment *segment);

/*
 * Removes the ring file and returns true, unless the next start needs it: for its events, its ledgers (an unfinished
 * append), or its counters, if they cannot be saved in DATA_DIR.
 */
bool ring_file_remove(const struct config *config, const struct segment *segment);

/*
 * For the end of a master without children that would exit with code. Removes the ring file as above. Copies a needed
 * one without a name to RING_PATH, or into DATA_DIR. Returns the exit code.
 */
int ring_file_finish(const struct config *config, const struct segment *segment, int code);

#endif
