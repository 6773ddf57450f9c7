/* The table of roles. Only this file knows the functions that their processes run. */
#include "master/roles.h"

#include <stdlib.h>

#include "api/frame.h"
#include "base/clock.h"
#include "base/exit_codes.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "base/signals.h"
#include "config/secrets.h"
#include "control/loop.h"
#include "courier/loop.h"
#include "master/confine.h"
#include "server/handover.h"
#include "server/loop.h"
#include "writer/loop.h"

static int
run_acceptor(struct service *service, uint32_t index)
{
	const struct acceptor_ends ends = {
	    .handover = {service->handover.ends[index][0], service->handover.ends[index][1]},
	    .control = service->frames.ends[index][0],
	};

	return acceptor_main(
	    &service->config, &service->segment, index, &service->listeners, &ends, service->tls.context);
}

static int
run_writer(struct service *service, uint32_t index)
{
	return writer_main(&service->config, &service->segment, index, signals_open(false));
}

static int
run_publisher(struct service *service, uint32_t index)
{
	return publisher_main(&service->config, &service->segment, index, signals_open(false));
}

static int
run_courier(struct service *service, uint32_t index)
{
	return courier_main(&service->config, &service->segment, index, signals_open(false));
}

static int
run_control(struct service *service, uint32_t index)
{
	return control_main(&service->config, &service->segment, &service->frames);
}

static const struct {
	struct process_role rules;
	/* The secrets that a process keeps; others are wiped before it runs. */
	enum secret_for secrets;
	struct rights rights;
	bool is_server; /* keeps its listeners, its handover channel and its end of the frames' channel */
	bool answers_frames; /* keeps control's ends of all frames' channels */
	int (*run)(struct service *service, uint32_t index);
} table[ROLES] = {
    [ROLE_ACCEPTOR] =
	{
	    .rules = {.role = ROLE_ACCEPTOR, .drain_phase = 1, .rolls_on_hup = true},
	    .secrets = SECRET_FOR_ACCEPTOR,
	    .rights = {.serves = true},
	    .is_server = true,
	    .run = run_acceptor,
	},
    [ROLE_WRITER] =
	{
	    .rules = {.role = ROLE_WRITER, .drain_phase = 2, .finishes_work = true},
	    .secrets = SECRET_FOR_WRITER,
	    .rights = {.stores_events = true, .data_dir = DATA_DIR_OF_EACH},
	    .run = run_writer,
	},
    [ROLE_PUBLISHER] =
	{
	    .rules = {.role = ROLE_PUBLISHER, .drain_phase = 2, .finishes_work = true},
	    .secrets = SECRET_FOR_PUBLISHER,
	    .rights = {.stores_webhooks = true, .data_dir = DATA_DIR_OF_EACH},
	    .run = run_publisher,
	},
    [ROLE_COURIER] =
	{
	    .rules = {.role = ROLE_COURIER, .drain_phase = 2, .may_keep_dying = true},
	    .secrets = SECRET_FOR_COURIER,
	    .rights = {.stores_webhooks = true, .data_dir = DATA_DIR_OF_FIRST, .delivers = true},
	    .run = run_courier,
	},
    [ROLE_CONTROL] =
	{
	    .rules = {.role = ROLE_CONTROL, .drain_phase = 2, .may_keep_dying = true, .rolls_on_hup = true},
	    .secrets = SECRET_FOR_CONTROL,
	    .rights = {.stores_webhooks = true, .reads_events = true},
	    .answers_frames = true,
	    .run = run_control,
	},
};

/* Opens a listener per acceptor, unless a service manager has passed some. */
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

/* Loads the certificate for the next acceptors. */
static int
load_tls(struct service *service, struct error *err)
{
	const int64_t now_s = clock_wall_us() / 1000000;
	struct tls loaded = {0};
	struct error late, unused;
	bool is_late;

	tls_watch_reading(&service->tls_watch, &service->config);
	if (tls_load(&loaded, &service->config, err) != 0)
		return -1;
	is_late = tls_is_out_of_time(&loaded, &service->config, now_s, &late);
	if (is_late && service->tls.context != NULL &&
	    !tls_is_out_of_time(&service->tls, &service->config, now_s, &unused)) {
		tls_free(&loaded);
		*err = late;
		return -1;
	}
	tls_free(&service->tls);
	service->tls = loaded;
	tickets_use(service->tickets, service->tls.context);
	segment_set_certificate_end_s(service->segment.header, (uint64_t)service->tls.ends_s);
	/* Most clients refuse such a certificate, but serving the others is better than serving none. */
	if (is_late)
		log_warning("the certificate is not good at this time", LOG_STR("error", late.text));
	return 0;
}

/*
 * Hides the memory of this process and of acceptors from core dumps, because it has the private key and the ticket
 * keys.
 */
static int
open_tls(struct service *service, struct error *err)
{
	segment_set_certificate_end_s(service->segment.header, 0);
	if (service->config.tls_cert_file == NULL)
		return 0;
	sandbox_hide_memory(true);
	service->tickets = tickets_new(clock_steady_us(), err);
	return service->tickets != NULL ? load_tls(service, err) : -1;
}

void
roles_close(struct service *service)
{
	if (service->tickets == NULL)
		return;
	tls_free(&service->tls);
	tickets_free(service->tickets);
	service->tickets = NULL;
}

/* For a process that does not speak TLS. */
static void
forget_tls(struct service *service)
{
	if (service->tickets == NULL)
		return;
	roles_close(service);
	sandbox_hide_memory(service->config.sandbox);
}

int
roles_open(struct service *service, struct error *err)
{
	uint32_t acceptors = service->segment.counts[ROLE_ACCEPTOR];

	if (channels_open(&service->handover, acceptors, HANDOVER_BUFFER_BYTES, err) != 0 ||
	    channels_open(&service->frames, acceptors, FRAMES_BUFFER_BYTES, err) != 0)
		return -1;
	if (open_tls(service, err) != 0 || open_listeners(service, err) != 0)
		return -1;
	/*
	 * Set the real address, for couriers that post to this service: with PORT=0 or passed sockets it is known only
	 * now.
	 */
	free(service->config.host);
	service->config.host = mem_strdup(service->listeners.host);
	service->config.port = service->listeners.port;
	return 0;
}

void
roles_reload(void *context)
{
	struct service *service = context;
	struct error err;

	if (service->config.tls_cert_file == NULL)
		return;
	if (load_tls(service, &err) == 0)
		log_info("the certificate has been read", LOG_INT("good_until", service->tls.ends_s));
	else
		log_error(
		    "cannot use the files of TLS: those that were read before stay in use", LOG_STR("error", err.text));
}

void
roles_rules(struct process_role rules[ROLES])
{
	for (int r = 0; r < ROLES; r++)
		rules[r] = table[r].rules;
}

/* A process whose store is a file does not need the password of a configured database. */
static enum secret_for
secrets_of(const struct config *config, enum role role)
{
	if (role == ROLE_WRITER && config->storage != STORAGE_POSTGRES)
		return SECRET_FOR_NONE;
	if (role == ROLE_PUBLISHER && config->hl_store != HL_STORE_POSTGRES)
		return SECRET_FOR_NONE;
	if (role == ROLE_CONTROL && config->storage == STORAGE_POSTGRES && config_streams_hook_events(config))
		return table[role].secrets | SECRET_FOR_HOOK_STREAMS;
	return table[role].secrets;
}

int
roles_run(void *context, enum role role, uint32_t index)
{
	struct service *service = context;
	struct error err;

	config_wipe_secrets(&service->config, service->argc, service->argv, secrets_of(&service->config, role));
	if (table[role].is_server) {
		listeners_close_others(&service->listeners, index);
		channels_close_others(&service->handover, index, CHANNEL_BOTH_ENDS);
		channels_close_others(&service->frames, index, 0);
	} else {
		forget_tls(service);
		listeners_close(&service->listeners);
		channels_close_others(&service->handover, CHANNELS_NONE, CHANNEL_BOTH_ENDS);
		channels_close_others(&service->frames, table[role].answers_frames ? CHANNELS_EACH : CHANNELS_NONE, 1);
	}
	locks_forget(&service->locks);
	if (confine(&service->config, &service->segment, &table[role].rights, index, &err) != 0) {
		log_error("cannot confine the process", LOG_STR("error", err.text));
		return EXIT_FAILED;
	}
	return table[role].run(service, index);
}

void
roles_refuse_clients(void *context)
{
	struct service *service = context;

	listeners_refuse(&service->listeners);
	listeners_close(&service->listeners);
}
