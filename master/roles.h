/*
 * The roles of hooksd as the master sees them: who drains when, who is replaced on HUP, and what a process keeps of what
 * the master has opened and knows. Together with shm/roles.h, which names them, this is all that a new role adds to.
 */
#ifndef MASTER_ROLES_H
#define MASTER_ROLES_H

#include "base/error.h"
#include "config/config.h"
#include "master/locks.h"
#include "master/supervisor.h"
#include "server/handover.h"
#include "server/listener.h"
#include "shm/segment.h"

/* What processes of all roles are made from: the master opens it, and a child inherits all of it. */
struct service {
	struct config config;
	struct segment segment;
	struct listeners listeners;
	struct handover handover;
	struct locks locks; /* of the files that are this service's alone */
	int argc;
	char **argv; /* the secrets in it are wiped, too */
};

/* Opens what the processes inherit besides the segment, which is open. Returns 0, or <0. */
int roles_open(struct service *service, struct error *err);

/* Fills in the rows for the supervisor. */
void roles_rules(struct process_role rules[ROLES]);

/* The life of a process, for struct supervision; context is the service. */
int roles_run(void *context, enum role role, uint32_t index);

/*
 * Closes the master's copies of the listeners: the processes that serve them then hold the last ones, and so decide when
 * nobody can connect any more. For struct supervision; context is the service.
 */
void roles_close_listeners(void *context);

#endif
