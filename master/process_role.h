/* The supervisor's view of a role. */
#ifndef MASTER_PROCESS_ROLE_H
#define MASTER_PROCESS_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/roles.h"

/* The rules of a role; its name, slots and restart counters are in shm/. */
struct process_role {
	enum role role;
	/* A phase begins when all processes of the earlier phases are gone; the roles of a phase drain together. */
	uint32_t drain_phase;
	bool finishes_work; /* while draining, its processes are restarted as long as work is left */
	bool may_keep_dying; /* it has no restart budget: the service continues without it */
	bool rolls_on_hup; /* HUP replaces its processes one by one; otherwise they get the HUP */
};

#endif
