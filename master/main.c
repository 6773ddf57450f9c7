/*
 * hooksd: reads the configuration, opens the ring and everything else that processes inherit, and runs the supervisor.
 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "config/config.h"
#include "config/load.h"
#include "config/made_key.h"
#include "config/old_names.h"
#include "config/print.h"
#include "config/secrets.h"
#include "base/clock.h"
#include "base/sandbox.h"
#include "base/streams.h"
#include "base/version.h"
#include "master/confine.h"
#include "master/old_ring_import.h"
#include "master/preflight.h"
#include "master/roles.h"
#include "master/run_as.h"
#include "master/supervisor.h"
#include "master/ring_file.h"
#include "master/saved_counters.h"
#include "master/start_keys.h"
#include "shm/metrics.h"
#include "shm/ring_size.h"
#include "shm/segment.h"
#include "shm/segment_open.h"
#include "store/webhooks_store.h"

#define SUMMARY "Takes events over HTTP and stores them in PostgreSQL, SQLite or JSONL files."

/* Each connection is a descriptor: raise the limit to the administrator's maximum. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void
on_turn(void *context)
{
	struct service *service = context;
	int64_t now = clock_steady_us();

	ring_file_check(&service->config, &service->segment);
	locks_check(&service->locks);
	if (service->tickets == NULL)
		return;
	tickets_rotate(service->tickets, now);
	if (tls_watch_replaced(&service->tls_watch, &service->config, now)) {
		log_info("the files of TLS have been replaced: as with SIGHUP");
		(void)raise(SIGHUP);
	}
}

/* Logs the API's URL and the key's file, for a start without configuration. The key itself is never logged. */
static void
log_made_key(const struct service *service)
{
	const char *host = service->listeners.host;
	bool every = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0, ipv6 = strchr(host, ':') != NULL;
	char path[PATH_MAX], url[300];
	struct error err;

	(void)snprintf(url, sizeof url, "http%s://%s%s%s:%u/v1", service->config.tls_cert_file != NULL ? "s" : "",
	    ipv6 && !every ? "[" : "", every ? "localhost" : host, ipv6 && !every ? "]" : "", service->listeners.port);
	if (made_key_path(service->config.data_dir, path, &err) == 0)
		log_info("the API uses a made key, because none is configured", LOG_STR("url", url),
		    LOG_STR("key_file", path));
}

static void
log_ready(void *context, char *status, size_t size)
{
	const struct service *service = context;
	const struct config *config = &service->config;
	const struct listeners *listeners = &service->listeners;

	const char *webhooks =
	    config->hl_store == HL_STORE_EMBEDDED ? "embedded (single node)" : hl_store_names[config->hl_store];

	bool tls = config->tls_cert_file != NULL;

	(void)snprintf(status, size, "serving on %s port %u, %sstorage %s", listeners->host, listeners->port,
	    tls ? "TLS, " : "", storage_name(config->storage));
	log_info("ready", LOG_STR("host", listeners->host), LOG_UINT("port", listeners->port),
	    LOG_STR("protocol", tls ? "https" : "http"), LOG_STR("storage", storage_name(config->storage)),
	    LOG_STR("ack", config->ack == ACK_DURABLE ? "durable" : "queued"), LOG_STR("webhooks", webhooks),
	    ROLE_COUNT_FIELDS(service->segment.counts));
	if (config->hl_make_api_key)
		log_made_key(service);
}

/* Half of the drain's time is for the store; then the writers begin to spool the rest. */
static void
begin_drain(void *context)
{
	const struct service *service = context;
	int64_t half_us = (int64_t)service->config.drain_timeout_seconds * 1000000 / 2;

	segment_begin_drain(service->segment.header, clock_steady_us() + half_us);
}

static uint64_t
events_waiting(void *context)
{
	const struct service *service = context;

	return segment_waiting(&service->segment, BOOKS_EVENTS) + segment_waiting(&service->segment, BOOKS_MESSAGES);
}

static int
supervise_roles(struct service *service)
{
	struct process_role rules[ROLES];
	struct supervision supervision = {
	    .roles = rules,
	    .role_count = ROLES,
	    .config = &service->config,
	    .segment = &service->segment,
	    .context = service,
	    .run = roles_run,
	    .on_turn = on_turn,
	    .on_ready = log_ready,
	    .on_reload = roles_reload,
	    .on_drain = begin_drain,
	    .on_last_start = roles_refuse_clients,
	    .work_left = events_waiting,
	    .work_name = "events_waiting",
	};

	roles_rules(rules);
	return supervise(&supervision);
}

static int
serve(struct service *service)
{
	const struct config *config = &service->config;
	struct segment *segment = &service->segment;
	struct error err;

	raise_descriptor_limit();
	for (const char *name, *const *next = old_names; (name = *next) != NULL; next++)
		if (getenv(name) != NULL)
			log_warning("an option of the original service has no effect here", LOG_STR("option", name));
	if (run_as(config, &err) != 0) {
		log_error("cannot start", LOG_STR("error", err.text));
		return EXIT_FAILED;
	}
	sandbox_hide_memory(config->sandbox);
	confine_report(config);
	if (locks_take(&service->locks, config, &err) != 0 || made_key_keep(&service->config, &err) != 0 ||
	    old_ring_import(config, &err) != 0 || segment_open(segment, config, &err) != 0) {
		log_error("cannot start", LOG_STR("error", err.text));
		return EXIT_FAILED;
	}
	if (segment->fresh)
		saved_counters_load(config->data_dir, segment);
	start_keys_put(config, segment);
	if (roles_open(service, &err) != 0) {
		log_error("cannot start", LOG_STR("error", err.text));
		(void)ring_file_remove(config, segment);
		return EXIT_FAILED;
	}
	run_as_finish(config);
	int code = ring_file_finish(config, segment, supervise_roles(service));
	roles_close(service);
	return code;
}

/* Checks the configuration and its files, directories and addresses. Returns the exit code. */
static int
check(const struct config *config)
{
	struct error err;
	int rc = PREFLIGHT_WRONG;

	if (store_check(config, &err) == 0 && webhooks_store_check(config, &err) == 0)
		rc = run_as_check(config, &err) != 0 ? -1 : preflight(config, &err);
	if (rc == 0)
		printf("configuration ok\n");
	else if (rc == PREFLIGHT_WRONG)
		fprintf(stderr, "hooksd: %s\n", err.text);
	else
		fprintf(
		    stderr, "hooksd: the configuration is valid, but hooksd cannot start with it here: %s\n", err.text);
	return rc == 0 ? EXIT_DRAINED : rc == PREFLIGHT_WRONG ? EXIT_BAD_CONFIG : EXIT_FAILED;
}

int
main(int argc, char **argv)
{
	struct service service = {.argc = argc, .argv = argv};
	struct config *config = &service.config;
	struct error err;
	int request;
	int code = EXIT_DRAINED;

	if (streams_hold(&err) != 0) {
		fprintf(stderr, "hooksd: %s\n", err.text);
		return EXIT_FAILED;
	}
	streams_own_stderr();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* exceeding RLIMIT_FSIZE must fail a write, not kill the process */
	log_init("master", LOG_INFO, LOG_TEXT);
	if (argc == 2 && strcmp(argv[1], "--print-config-markdown") == 0) {
		config_print_markdown(stdout); /* for docs/configuration.md and the test that compares it */
		return EXIT_DRAINED;
	}
	if (argc == 2 && strcmp(argv[1], "--print-metrics-markdown") == 0) {
		metrics_print_markdown(stdout); /* for docs/metrics.md, likewise */
		return EXIT_DRAINED;
	}
	request = config_load(config, argc, argv, ring_need, &err);
	if (request >= 0 &&
	    (store_check_options(config, &err) != 0 || webhooks_store_check_options(config, &err) != 0)) {
		config_free(config);
		request = -1;
	}
	if (request < 0) {
		fprintf(stderr, "hooksd: %s\n", err.text);
		return EXIT_BAD_CONFIG;
	}
	log_init("master", config->log_level, config->log_format);

	switch (request) {
	case CONFIG_HELP:
		config_print_help(stdout, "hooksd", SUMMARY, config->help_topic);
		break;
	case CONFIG_VERSION:
		printf("hooksd %s\n", HOOKS_VERSION);
		break;
	case CONFIG_CHECK:
		code = check(config);
		break;
	case CONFIG_PRINT:
		config_print(stdout, config);
		break;
	default:
		code = serve(&service);
	}
	config_free(config);
	return code;
}
