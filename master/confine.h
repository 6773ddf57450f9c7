/* What a process of each role may do besides its work in memory, and the sandbox that follows from that. */
#ifndef MASTER_CONFINE_H
#define MASTER_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "shm/segment.h"

struct rights {
	bool serves; /* strangers, on listeners and connections that it has: it opens nothing at all */
	bool stores_events; /* in the store of hook events */
	bool stores_webhooks; /* in the store of webhooks, or reads there */
	bool delivers; /* connects to wherever endpoints are */
	enum { DATA_DIR_UNUSED, DATA_DIR_OF_FIRST, DATA_DIR_OF_EACH } data_dir; /* writes files of its own there */
};

/*
 * Confines this process, which is number index of its role and has no threads yet. Logs what the kernel refuses after
 * it has promised it; the process goes on then. Returns 0 or <0.
 */
int confine(const struct config *config, const struct segment *segment, const struct rights *rights, uint32_t index,
    struct error *err);

/*
 * Logs, once for the service, that its processes are not confined, or what cannot be done for that here. Master only.
 */
void confine_report(const struct config *config);

#endif
