/*
 * The ring's file and its name. The processes share the file by its descriptor and need no name; whoever comes after them
 * does. Somebody may remove it meanwhile: a log-out with RemoveIPC=yes, a cleaner of /dev/shm, a person. Master only.
 */
#ifndef MASTER_RING_FILE_H
#define MASTER_RING_FILE_H

#include "config/config.h"
#include "shm/segment.h"

/*
 * Looks whether the file still stands at RING_PATH, and says in the segment, and once in the log, when it does not or does
 * again. The acceptors then acknowledge nothing that is only on the ring.
 */
void ring_file_look(const struct config *config, const struct segment *segment);

/*
 * Removes the ring unless it is needed: for its events, for what it says about a file in which a writer was killed, or for
 * its counters, if they cannot be kept in DATA_DIR. Returns whether it was not needed.
 */
bool ring_file_remove(const struct config *config, const struct segment *segment);

/*
 * For a master whose children are gone, to end with that exit code. Removes the ring as above; one that is needed and has
 * lost its name gets it again, as a copy, or a name in DATA_DIR. Returns the exit code.
 */
int ring_file_finish(const struct config *config, const struct segment *segment, int code);

#endif
