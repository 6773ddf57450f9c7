/*
 * The roles of hooksd as the master sees them: in which phase each drains, which are replaced on HUP, and what a
 * process keeps of what the master has opened and knows. A new role is one row in shm/roles.h, which names the roles,
 * and one in master/roles.c.
 */
#ifndef MASTER_ROLES_H
#define MASTER_ROLES_H

#include "base/channel.h"
#include "base/error.h"
#include "config/config.h"
#include "master/locks.h"
#include "master/supervisor.h"
#include "master/tls_watch.h"
#include "server/listener.h"
#include "server/tickets.h"
#include "server/tls.h"
#include "shm/segment.h"

/* What processes of all roles are made from: the master opens it, and a child inherits all of it. */
struct service {
	struct config config;
	struct segment segment;
	struct listeners listeners;
	struct tls tls; /* for acceptors; nothing without TLS_CERT_FILE */
	struct tls_watch tls_watch; /* of its files */
	struct tickets *tickets; /* for it; NULL: no TLS */
	struct channels handover; /* of acceptors */
	struct channels frames; /* between acceptors, which have the ends 0, and control */
	struct locks locks; /* of the files that are this service's alone */
	int argc;
	char **argv; /* the secrets in it are also wiped */
};

/*
 * Opens what the processes inherit besides the segment, which is open. The configuration says from then on where the
 * service listens. Returns 0, or <0.
 */
int roles_open(struct service *service, struct error *err);

/* Reads again what HUP asks to read again. What cannot be used is logged, and what was read before stays. */
void roles_reload(void *context);

/* Fills in the rows for the supervisor. */
void roles_rules(struct process_role rules[ROLES]);

/* The life of a process, for struct supervision; context is the service. */
int roles_run(void *context, enum role role, uint32_t index);

/*
 * Closes the master's copies of the listeners. The processes that serve them then hold the last copies, and so end the
 * time in which clients can connect. For struct supervision; context is the service.
 */
void roles_close_listeners(void *context);

/* Releases what roles_open() has read of TLS. In the master, at its end. */
void roles_close(struct service *service);

#endif
