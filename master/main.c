/*
 * hooksd: reads the configuration, opens the ring and the sockets, and hands the process table to the supervisor. The
 * one file that names both acceptors and writers.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "config/config.h"
#include "config/load.h"
#include "config/print.h"
#include "config/secrets.h"
#include "base/streams.h"
#include "base/version.h"
#include "server/acceptor.h"
#include "server/listener.h"
#include "master/locks.h"
#include "master/preflight.h"
#include "master/supervisor.h"
#include "master/ring_file.h"
#include "master/saved_counters.h"
#include "base/signals.h"
#include "shm/metrics.h"
#include "shm/ring_size.h"
#include "shm/segment.h"
#include "store/store.h"
#include "writer/loop.h"

#define SUMMARY "Receives events of coding agents over HTTP; stores them in PostgreSQL or JSONL."

struct service {
	struct config config;
	struct segment segment;
	struct locks locks;
	struct listeners listeners;
	struct handover handover;
	int argc;
	char **argv;
};

static int
run_acceptor(void *context, uint32_t index)
{
	struct service *service = context;

	config_wipe_secrets(&service->config, service->argc, service->argv);
	listeners_close_others(&service->listeners, index);
	handover_close_others(&service->handover, index);
	return acceptor_main(&service->config, &service->segment, index, &service->listeners, &service->handover);
}

static int
run_writer(void *context, uint32_t index)
{
	struct service *service = context;

	listeners_close(&service->listeners);
	handover_close_others(&service->handover, ACCEPTORS_MAX);
	return writer_main(&service->config, &service->segment, index, signals_open(false));
}

/* The acceptors then hold the last copies, and so decide when nobody can connect any more. */
static void
let_go_of_listeners(void *context)
{
	struct service *service = context;

	listeners_close(&service->listeners);
}

/* Connections are descriptors: take as many as the administrator allows. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* 0, or <0. */
static int
listen_for(struct service *service, struct error *err)
{
	struct config *config = &service->config;
	int passed = listeners_passed(&service->listeners, &config->host, &config->port, err);

	if (passed != 0)
		return passed < 0 ? -1 : 0;
	return listeners_open(
	    &service->listeners, &config->host, &config->port, service->segment.counts[ROLE_ACCEPTOR], err);
}

static void
look(void *context)
{
	struct service *service = context;

	ring_file_look(&service->config, &service->segment);
	locks_look(&service->locks);
}

static int
serve(struct service *service)
{
	struct config *config = &service->config;
	struct segment *segment = &service->segment;
	struct error err;

	raise_descriptor_limit();
	if (locks_take(&service->locks, config, &err) != 0 || segment_open(segment, config, &err) != 0) {
		log_error("cannot start", LOG_STR("error", err.text));
		return EXIT_FAILED;
	}
	if (segment->fresh)
		saved_counters_load(config->data_dir, segment);
	if (handover_open(&service->handover, segment->counts[ROLE_ACCEPTOR], &err) != 0 ||
	    listen_for(service, &err) != 0) {
		log_error("cannot start", LOG_STR("error", err.text));
		(void)ring_file_remove(config, segment);
		return EXIT_FAILED;
	}

	const struct process_role roles[] = {
	    {.name = "acceptor",
		.count = segment->counts[ROLE_ACCEPTOR],
		.first_slot = 0,
		.restarts = COUNTER_RESTARTS_ACCEPTOR,
		.run = run_acceptor,
		.on_drain = let_go_of_listeners,
		.rolls_on_hup = true},
	    {.name = "writer",
		.count = segment->counts[ROLE_WRITER],
		.first_slot = segment->counts[ROLE_ACCEPTOR],
		.restarts = COUNTER_RESTARTS_WRITER,
		.run = run_writer},
	};

	return ring_file_finish(
	    config, segment, supervise(roles, sizeof roles / sizeof *roles, service, look, config, segment));
}

/* What stands where the options point to, too. */
static int
check(const struct config *config)
{
	struct error err;
	int rc = PREFLIGHT_WRONG;

	if (store_check(config, &err) == 0)
		rc = preflight(config, &err);
	if (rc == 0)
		printf("configuration ok\n");
	else if (rc == PREFLIGHT_WRONG)
		fprintf(stderr, "hooksd: %s\n", err.text);
	else
		fprintf(stderr, "hooksd: the configuration is right, but would not do here: %s\n", err.text);
	return rc == 0 ? EXIT_DRAINED : rc == PREFLIGHT_WRONG ? EXIT_BAD_CONFIG : EXIT_FAILED;
}

int
main(int argc, char **argv)
{
	struct service service = {.argc = argc, .argv = argv};
	struct error err;
	int request;
	int code = EXIT_DRAINED;

	if (streams_hold(&err) != 0) {
		fprintf(stderr, "hooksd: %s\n", err.text);
		return EXIT_FAILED;
	}
	streams_own_stderr();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file over RLIMIT_FSIZE is a failing store, not a death */
	log_init("master", LOG_INFO, LOG_TEXT);
	if (argc == 2 && strcmp(argv[1], "--print-config-markdown") == 0) {
		config_print_markdown(stdout); /* for the README's table and the test that compares it */
		return EXIT_DRAINED;
	}
	if (argc == 2 && strcmp(argv[1], "--print-metrics-markdown") == 0) {
		metrics_print_markdown(stdout); /* for docs/metrics.md, likewise */
		return EXIT_DRAINED;
	}
	request = config_load(&service.config, argc, argv, ring_bytes_least, &err);
	if (request >= 0 && store_check_options(&service.config, &err) != 0) {
		config_free(&service.config);
		request = -1;
	}
	if (request < 0) {
		fprintf(stderr, "hooksd: %s\n", err.text);
		return EXIT_BAD_CONFIG;
	}
	log_init("master", service.config.log_level, service.config.log_format);

	switch (request) {
	case CONFIG_HELP:
		config_print_help(stdout, "hooksd", SUMMARY, service.config.help_topic);
		break;
	case CONFIG_VERSION:
		printf("hooksd %s\n", HOOKS_VERSION);
		break;
	case CONFIG_CHECK:
		code = check(&service.config);
		break;
	case CONFIG_PRINT:
		config_print(stdout, &service.config);
		break;
	default:
		code = serve(&service);
	}
	config_free(&service.config);
	return code;
}
