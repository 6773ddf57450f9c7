/* The rights of each role's processes, and their sandboxes. */
#ifndef MASTER_CONFINE_H
#define MASTER_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "shm/segment.h"

struct rights {
	bool serves; /* serves strangers on inherited listeners; opens nothing */
	bool stores_events; /* uses the store of hook events */
	bool reads_events; /* reads the store of hook events, if it serves streams of them */
	bool stores_webhooks; /* writes or reads the store of webhooks */
	bool delivers; /* connects to endpoints, anywhere */
	enum { DATA_DIR_UNUSED, DATA_DIR_OF_FIRST, DATA_DIR_OF_EACH } data_dir; /* writes its own files there */
};

/*
 * Applies the sandbox to this process, number `index` of its role, before its first thread. If the kernel refuses a
 * part, logs that and returns 0. Returns 0 or <0.
 */
int confine(const struct config *config, const struct segment *segment, const struct rights *rights, uint32_t index,
    struct error *err);

/* Logs once if processes are not confined, or which mechanisms are missing. Master only. */
void confine_report(const struct config *config);

#endif
