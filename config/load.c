/*
 * From environment and command line to a checked struct config. Flags are collected first; the environment adds the
 * options without a flag. Each value is read by its row of the option table (config/options.h). Then come secrets in
 * files, computed defaults, and rules between options. An empty value means the default.
 */
#include "config/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sizes.h"
#include "config/config.h"
#include "config/cpu.h"
#include "config/flags.h"
#include "config/made_key.h"
#include "config/option_value.h"
#include "config/options.h"
#include "config/secrets.h"

/* The raw value of each option, borrowed from argv and the environment. NULL or empty: not given. */
struct given {
	const char *value[OPTION_COUNT];
};

static bool
is_given(const struct given *given, enum option_id id)
{
	return given->value[id] != NULL && *given->value[id] != '\0';
}

static int
read_flags(struct config *config, int argc, char **argv, struct given *given, struct error *err)
{
	int request = CONFIG_RUN;

	for (int next = 1; next < argc;) {
		struct flag flag;

		if (flag_read(argc, argv, &next, &flag, err) < 0)
			return -1;
		if (flag.option != NULL)
			given->value[flag.option - option_table] = flag.value != NULL ? flag.value : "true";
		else
			request = flag.request;
		if (flag.request == CONFIG_HELP)
			config->help_topic = flag.value;
		if (flag.request == CONFIG_HELP || flag.request == CONFIG_VERSION)
			return flag.request;
	}
	return request;
}

static void
read_environment(struct given *given)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (given->value[i] == NULL)
			given->value[i] = getenv(option_table[i].name);
		if (!is_given(given, i) && option_table[i].second_name != NULL)
			given->value[i] = getenv(option_table[i].second_name);
	}
}

static int
set_values(struct config *config, const struct given *given, struct error *err)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &option_table[i];
		const char *value = is_given(given, i) ? given->value[i] : option->initial;

		if (value != NULL && option_set(option, value, config, err) < 0)
			return -1;
	}
	return 0;
}

static int
set_from_file(struct config *config, const struct option *file, const char *path, struct error *err)
{
	const struct option *secret = &option_table[file->holds];
	char value[SECRET_MAX_BYTES + 1], allowed[256];
	struct error reason;
	int rc = secret_read_file(path, value, &reason);

	if (rc != 0) {
		(void)option_refuse(file, path, err, "%s", reason.text);
	} else if ((rc = option_set(secret, value, config, &reason)) != 0) {
		option_allowed(secret, allowed, sizeof allowed);
		(void)option_refuse(file, path, err, "must hold %s, and after that at most one newline", allowed);
	}
	explicit_bzero(value, sizeof value);
	return rc;
}

static int
set_secrets_from_files(struct config *config, const struct given *given, struct error *err)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *file = &option_table[i];

		if (file->type != TYPE_SECRET_FILE || !is_given(given, i))
			continue;
		if (is_given(given, file->holds))
			return option_refuse(file, given->value[i], err, "%s is also given; set one of the two",
			    option_table[file->holds].name);
		if (set_from_file(config, file, given->value[i], err) != 0)
			return -1;
	}
	return 0;
}

static int
resolve_storage(struct config *config, struct error *err)
{
	if (config->storage == STORAGE_AUTO)
		config->storage = config->database_url != NULL ? STORAGE_POSTGRES : STORAGE_JSONL;
	if (config->storage == STORAGE_POSTGRES && config->database_url == NULL)
		return option_refuse(&option_table[OPTION_DATABASE_URL], NULL, err,
		    "not set, and STORAGE_TYPE=%s needs it: set it to postgresql://user:password@host:5432/name",
		    storage_name(config->storage));
	return 0;
}

static int
refuse_without_key(enum option_id id, struct error *err)
{
	return option_refuse(&option_table[id], "true", err,
	    "no key is known: set HL_API_KEY or HL_ADMIN_KEY, or set %s=false", option_table[id].name);
}

/* Only for the embedded store, which belongs to this service: the users of a shared database decide about keys. */
static bool
may_make_key(const struct config *config)
{
	if (config->hl_store == HL_STORE_AUTO)
		return config->hl_postgres_url == NULL && config->database_url == NULL;
	return config->hl_store == HL_STORE_EMBEDDED;
}

static int
resolve_keys(struct config *config, struct error *err)
{
	bool given = config->hl_api_key != NULL || config->hl_admin_key != NULL;
	bool known;

	config->hl_make_api_key = config->hl_make_api_key && !given && may_make_key(config);
	if (config->hl_make_api_key && made_key_find(config, err) != 0)
		return -1;
	known = given || config->hl_make_api_key;

	if (config->hl_api_key != NULL && config->hl_admin_key != NULL &&
	    strcmp(config->hl_api_key, config->hl_admin_key) == 0)
		return option_refuse(&option_table[OPTION_HL_ADMIN_KEY], NULL, err,
		    "must not be the same as HL_API_KEY; leave it out and HL_API_KEY has all rights");
	if (!known)
		config->hl_store = HL_STORE_OFF;
	if (config->hl_store != HL_STORE_OFF)
		return 0;
	if (config->require_api_key)
		return refuse_without_key(OPTION_REQUIRE_API_KEY, err);
	return config->metrics_require_key ? refuse_without_key(OPTION_METRICS_REQUIRE_KEY, err) : 0;
}

static int
resolve_hl_store(struct config *config, struct error *err)
{
	if (resolve_keys(config, err) != 0)
		return -1;
	if (config->hl_data_path == NULL)
		config->hl_data_path =
		    mem_printf("%s/hookline.db", config->hl_data_dir != NULL ? config->hl_data_dir : config->data_dir);
	if (config->hl_store == HL_STORE_OFF)
		return 0;
	if (config->hl_postgres_url == NULL && config->database_url != NULL)
		config->hl_postgres_url = mem_strdup(config->database_url);
	if (config->hl_store == HL_STORE_AUTO)
		config->hl_store = config->hl_postgres_url != NULL ? HL_STORE_POSTGRES : HL_STORE_EMBEDDED;
	if (config->hl_store == HL_STORE_POSTGRES && config->hl_postgres_url == NULL)
		return option_refuse(&option_table[OPTION_HL_POSTGRES_URL], NULL, err,
		    "not set, nor DATABASE_URL, and HL_STORE_BACKEND=postgres needs one of them: set it to "
		    "postgresql://user:password@host:5432/name");
	return 0;
}

static int
resolve_tls(const struct config *config, struct error *err)
{
	bool cert = config->tls_cert_file != NULL, key = config->tls_key_file != NULL;

	if (cert != key)
		return option_refuse(&option_table[cert ? OPTION_TLS_KEY_FILE : OPTION_TLS_CERT_FILE], NULL, err,
		    "not set, and %s is: TLS needs both", cert ? "TLS_CERT_FILE" : "TLS_KEY_FILE");
	if (config->tls_client_ca_file != NULL && !cert)
		return option_refuse(&option_table[OPTION_TLS_CLIENT_CA_FILE], config->tls_client_ca_file, err,
		    "clients show certificates in TLS only: set TLS_CERT_FILE and TLS_KEY_FILE also");
	return 0;
}

static void
resolve_sqlite_path(struct config *config)
{
	if (config->sqlite_path == NULL)
		config->sqlite_path = mem_printf("%s/events.db", config->data_dir);
}

static void
resolve_acceptors(struct config *config)
{
	if (config->acceptors == 0) {
		uint32_t cpus = cpu_allowed();
		config->acceptors = cpus < ACCEPTORS_MAX ? cpus : ACCEPTORS_MAX;
	}
}

static int
resolve_writers(struct config *config, const struct given *given, struct error *err)
{
	if (config->writers == 0)
		config->writers = config->storage == STORAGE_POSTGRES ? 2 : 1;
	if (config->storage == STORAGE_SQLITE && config->writers > 1)
		return option_refuse(&option_table[OPTION_WRITERS], given->value[OPTION_WRITERS], err,
		    "must be 1 with STORAGE_TYPE=sqlite: one process at a time can write to an SQLite database");
	return 0;
}

static int
resolve_limits(struct config *config, const struct given *given, struct error *err)
{
	if (config->max_event_bytes <= config->max_body_bytes)
		return 0;
	if (is_given(given, OPTION_MAX_EVENT_BYTES))
		return option_refuse(&option_table[OPTION_MAX_EVENT_BYTES], given->value[OPTION_MAX_EVENT_BYTES], err,
		    "must not be more than MAX_BODY_BYTES, which is %" PRIu64, config->max_body_bytes);
	config->max_event_bytes = config->max_body_bytes;
	return 0;
}

/* At least the largest request; twice that by default, so that one slow request does not keep another out. */
static int
resolve_buffered(struct config *config, const struct given *given, struct error *err)
{
	const uint64_t least = config->max_body_bytes + config->max_header_bytes;

	if (!is_given(given, OPTION_MAX_BUFFERED_BYTES))
		config->max_buffered_bytes = 2 * least > 64 * MIB ? 2 * least : 64 * MIB;
	if (config->max_buffered_bytes >= least)
		return 0;
	return option_refuse(&option_table[OPTION_MAX_BUFFERED_BYTES], given->value[OPTION_MAX_BUFFERED_BYTES], err,
	    "must be at least %" PRIu64 " for a request of MAX_BODY_BYTES and MAX_HEADER_BYTES", least);
}

/* The ring is memory. A larger default could invoke the OOM killer, so a larger ring must be set explicitly. */
#define RING_DEFAULT_MAX (4 * GIB)

static void
resolve_ring_path(struct config *config)
{
	if (config->ring_path == NULL)
		config->ring_path = mem_printf("/dev/shm/hooksd-%u.ring", config->port);
}

static int
resolve_ring_bytes(struct config *config, const struct given *given, const struct ring_need *need, struct error *err)
{
	const struct option *option = &option_table[OPTION_RING_BYTES];

	if (!is_given(given, OPTION_RING_BYTES)) {
		config->ring_bytes = need->bytes > 64 * MIB ? need->bytes : 64 * MIB;
		if (config->ring_bytes <= RING_DEFAULT_MAX)
			return 0;
		return option_refuse(option, NULL, err,
		    "would have to be %" PRIu64 " for %s, and more than %" PRIu64
		    " is taken only when asked for; set it, or lower MAX_BODY_BYTES, MAX_BATCH_EVENTS or the number "
		    "of processes",
		    need->bytes, need->lanes, RING_DEFAULT_MAX);
	}
	if (config->ring_bytes >= need->bytes)
		return 0;
	return option_refuse(option, given->value[OPTION_RING_BYTES], err,
	    "must be at least %" PRIu64 " for %s that each hold the largest request; raise it, or lower MAX_BODY_BYTES "
	    "or the number of processes",
	    need->bytes, need->lanes);
}

static int
resolve_hl_ring_bytes(struct config *config, const struct given *given, const struct ring_need *need, struct error *err)
{
	const struct option *option = &option_table[OPTION_HL_RING_BYTES];

	if (!is_given(given, OPTION_HL_RING_BYTES)) {
		config->hl_ring_bytes = need->hl_bytes > 64 * MIB ? need->hl_bytes : 64 * MIB;
		if (config->hl_ring_bytes <= RING_DEFAULT_MAX || !config_api_is_on(config))
			return 0;
		return option_refuse(option, NULL, err,
		    "would have to be %" PRIu64 ", and more than %" PRIu64
		    " is taken only when asked for; set it, or lower MAX_BODY_BYTES, HL_MAX_PAYLOAD_BYTES, "
		    "HL_PUBLISHERS "
		    "or HL_COURIERS",
		    need->hl_bytes, RING_DEFAULT_MAX);
	}
	if (config->hl_ring_bytes >= need->hl_bytes || !config_api_is_on(config))
		return 0;
	return option_refuse(option, given->value[OPTION_HL_RING_BYTES], err,
	    "must be at least %" PRIu64
	    " for lanes that each hold the largest request; raise it, or lower MAX_BODY_BYTES, HL_MAX_PAYLOAD_BYTES, "
	    "HL_PUBLISHERS or HL_COURIERS",
	    need->hl_bytes);
}

/* Only one process at a time can write published events to the embedded store. */
static int
resolve_webhook_processes(struct config *config, const struct given *given, struct error *err)
{
	const uint32_t usual = config->hl_store == HL_STORE_POSTGRES ? 2 : 1;

	if (config->hl_publishers == 0)
		config->hl_publishers = usual;
	if (config->hl_couriers == 0)
		config->hl_couriers = usual;
	if (!is_given(given, OPTION_HL_DEV_INBOX))
		config->hl_dev_inbox = config->hl_store == HL_STORE_EMBEDDED;
	if (!is_given(given, OPTION_HL_CONSOLE_ENABLED))
		config->hl_console_enabled = config->hl_store == HL_STORE_EMBEDDED;
	if (config->hl_store == HL_STORE_EMBEDDED && config->hl_publishers > 1)
		return option_refuse(&option_table[OPTION_HL_PUBLISHERS], given->value[OPTION_HL_PUBLISHERS], err,
		    "must be 1 with the embedded store: one process at a time can write published events to it");
	return 0;
}

#define NODE_TIMEOUT_SECS 30

/* A node must be able to renew its row in time even after a statement that took all of STORE_TIMEOUT_MS. */
static int
resolve_node_timeout(struct config *config, const struct given *given, struct error *err)
{
	uint32_t least = (3 * config->store_timeout_ms + 999) / 1000;

	if (!is_given(given, OPTION_HL_NODE_TIMEOUT_SECS))
		config->hl_node_timeout_secs = least > NODE_TIMEOUT_SECS ? least : NODE_TIMEOUT_SECS;
	if (config->hl_node_timeout_secs >= least || config->hl_store != HL_STORE_POSTGRES)
		return 0;
	return option_refuse(&option_table[OPTION_HL_NODE_TIMEOUT_SECS], given->value[OPTION_HL_NODE_TIMEOUT_SECS], err,
	    "must be at least three times STORE_TIMEOUT_MS, which is %" PRIu32, config->store_timeout_ms);
}

int
config_load(struct config *config, int argc, char **argv, config_ring_need_fn *ring_need, struct error *err)
{
	struct given given = {0};

	*config = (struct config){0};
	int request = read_flags(config, argc, argv, &given, err);
	if (request < 0 || request == CONFIG_HELP || request == CONFIG_VERSION)
		return request;

	read_environment(&given);
	if (set_values(config, &given, err) < 0 || set_secrets_from_files(config, &given, err) < 0 ||
	    resolve_storage(config, err) < 0 || resolve_hl_store(config, err) < 0)
		goto failed;
	resolve_sqlite_path(config);
	resolve_ring_path(config);
	resolve_acceptors(config);
	if (resolve_writers(config, &given, err) < 0 || resolve_webhook_processes(config, &given, err) < 0 ||
	    resolve_node_timeout(config, &given, err) < 0 || resolve_limits(config, &given, err) < 0 ||
	    resolve_buffered(config, &given, err) < 0 || resolve_tls(config, err) < 0)
		goto failed;

	const struct ring_need need = ring_need(config);

	if (resolve_ring_bytes(config, &given, &need, err) < 0 || resolve_hl_ring_bytes(config, &given, &need, err) < 0)
		goto failed;
	return request;
failed:
	config_free(config);
	return -1;
}

void
config_free(struct config *config)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (option_is_string(&option_table[i]))
			option_clear(&option_table[i], config);
	}
}
