/*
 * The ring file and its name. The processes share the file by its descriptor and need no name, but the next master
 * does. The name may be removed while they run: by a log-out with RemoveIPC=yes, a cleaner of /dev/shm, a person.
 * Master only.
 */
#ifndef MASTER_RING_FILE_H
#define MASTER_RING_FILE_H

#include "config/config.h"
#include "shm/segment.h"

/*
 * Checks whether the file still stands at RING_PATH. A change is logged and recorded in the segment: without the file
 * the acceptors acknowledge nothing that is only on the ring.
 */
void ring_file_check(const struct config *config, const struct segment *segment);

/*
 * Removes the ring file and returns true, unless the next start needs it: for its events, for its ledgers (an
 * unfinished append), or for its counters, when they cannot be saved in DATA_DIR.
 */
bool ring_file_remove(const struct config *config, const struct segment *segment);

/*
 * The end of a master whose children are gone and that would exit with code. Removes the ring file as above; a needed
 * one that has lost its name is copied to RING_PATH, or into DATA_DIR. Returns the exit code.
 */
int ring_file_finish(const struct config *config, const struct segment *segment, int code);

#endif
