/* The table of roles, and the one file that knows what the processes of each of them run. */
#include "master/roles.h"

#include "base/signals.h"
#include "config/secrets.h"
#include "server/loop.h"
#include "writer/loop.h"

static int
run_acceptor(struct service *service, uint32_t index)
{
	return acceptor_main(&service->config, &service->segment, index, &service->listeners, &service->handover);
}

static int
run_writer(struct service *service, uint32_t index)
{
	return writer_main(&service->config, &service->segment, index, signals_open(false));
}

static const struct {
	struct process_role rules;
	/* What a process keeps; the rest is wiped or closed before it runs. */
	enum secret_for secrets;
	bool keeps_connections; /* its own listeners, and its own pair for handing connections over */
	int (*run)(struct service *service, uint32_t index);
} table[ROLES] = {
    [ROLE_ACCEPTOR] =
	{
	    .rules = {.role = ROLE_ACCEPTOR, .drain_phase = 1, .rolls_on_hup = true},
	    .keeps_connections = true,
	    .run = run_acceptor,
	},
    [ROLE_WRITER] =
	{
	    .rules = {.role = ROLE_WRITER, .drain_phase = 2, .finishes_work = true},
	    .secrets = SECRET_FOR_WRITER,
	    .run = run_writer,
	},
};

/* One listener an acceptor, unless a service manager has passed some. */
static int
open_listeners(struct service *service, struct error *err)
{
	const struct config *config = &service->config;
	int passed = listeners_passed(&service->listeners, err);

	if (passed != 0)
		return passed < 0 ? -1 : 0;
	return listeners_open(
	    &service->listeners, config->host, config->port, service->segment.counts[ROLE_ACCEPTOR], err);
}

int
roles_open(struct service *service, struct error *err)
{
	if (handover_open(&service->handover, service->segment.counts[ROLE_ACCEPTOR], err) != 0)
		return -1;
	return open_listeners(service, err);
}

void
roles_rules(struct process_role rules[ROLES])
{
	for (int r = 0; r < ROLES; r++)
		rules[r] = table[r].rules;
}

int
roles_run(void *context, enum role role, uint32_t index)
{
	struct service *service = context;

	config_wipe_secrets(&service->config, service->argc, service->argv, table[role].secrets);
	if (table[role].keeps_connections) {
		listeners_close_others(&service->listeners, index);
		handover_close_others(&service->handover, index);
	} else {
		listeners_close(&service->listeners);
		handover_close_others(&service->handover, ACCEPTORS_MAX);
	}
	return table[role].run(service, index);
}

void
roles_close_listeners(void *context)
{
	struct service *service = context;

	listeners_close(&service->listeners);
}
