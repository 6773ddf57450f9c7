/*
 * The master's view of roles: their supervision rules, and the secrets, descriptors and rights that each process keeps.
 * A new role needs a row in shm/roles.h and one in master/roles.c.
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

/* Everything that the master opens and children inherit. */
struct service {
	struct config config;
	struct segment segment;
	struct listeners listeners;
	struct tls tls; /* for acceptors; all zero without TLS_CERT_FILE */
	struct tls_watch tls_watch; /* of the TLS files */
	struct tickets *tickets; /* NULL: no TLS */
	struct channels handover; /* for acceptors */
	struct channels frames; /* between acceptors (ends 0) and control (ends 1) */
	struct locks locks; /* of this service's files */
	int argc;
	char **argv; /* its secrets are wiped, too */
};

/*
 * Opens everything that processes inherit, except the segment, which is open. Sets host and port of the configuration
 * to the listeners' address. Returns 0, or <0.
 */
int roles_open(struct service *service, struct error *err);

/* On HUP: reads the TLS files again. If they cannot be used, logs that and keeps the old ones. */
void roles_reload(void *context);

/* Fills in the roles' rules for the supervisor. */
void roles_rules(struct process_role rules[ROLES]);

/* Runs a process; `run` of struct supervision. context is the service. */
int roles_run(void *context, enum role role, uint32_t index);

/*
 * Has the kernel refuse new clients, and closes the master's copies of the listeners: the acceptors close theirs soon.
 * For struct supervision; context is the service.
 */
void roles_refuse_clients(void *context);

/* Releases the TLS state of roles_open(). In the master, at its end. */
void roles_close(struct service *service);

#endif
