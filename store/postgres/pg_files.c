/* Lists libpq's parameters and environment variables that name files, by libpq's documentation. */
#include "store/postgres/pg_files.h"

#include <libpq-fe.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config/database_url.h"
#include "base/mem.h"

/* parameter NULL: only the variable exists. */
static const struct {
	const char *parameter, *variable;
} named[] = {
    {"sslcert", "PGSSLCERT"},
    {"sslkey", "PGSSLKEY"},
    {"sslrootcert", "PGSSLROOTCERT"},
    {"sslcrl", "PGSSLCRL"},
    {"sslcrldir", "PGSSLCRLDIR"},
    {"passfile", "PGPASSFILE"},
    {NULL, "PGSERVICEFILE"},
    {NULL, "PGSYSCONFDIR"},
};

static const char *const in_home[] = {".postgresql", ".pgpass", ".pg_service.conf"};

static const char *
value_of(const PQconninfoOption *options, const char *keyword)
{
	for (; keyword != NULL && options != NULL && options->keyword != NULL; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val;
	return NULL;
}

/* Skips a value without a slash: it is no path, like "system" for sslrootcert, or useless in a service. */
static void
report_path(const char *path, void (*found)(void *context, const char *path), void *context)
{
	if (path != NULL && strchr(path, '/') != NULL)
		found(context, path);
}

/* libpq's defaults, with the settings of that service in its service file; NULL: the service in PGSERVICE, if any. */
static PQconninfoOption *
read_service(const char *service)
{
	const char *value = getenv("PGSERVICE");
	char *before = value != NULL ? mem_strdup(value) : NULL;
	PQconninfoOption *options;

	if (service != NULL)
		(void)setenv("PGSERVICE", service, 1);
	options = PQconndefaults();
	if (service != NULL && before == NULL)
		(void)unsetenv("PGSERVICE");
	else if (service != NULL)
		(void)setenv("PGSERVICE", before, 1);
	free(before);
	return options;
}

void
pg_files_each(const char *url, void (*found)(void *context, const char *path), void *context)
{
	const char *home = getenv("HOME");
	char *masked = database_url_masked(url);
	PQconninfoOption *options = PQconninfoParse(masked, NULL),
			 *defaults = read_service(value_of(options, "service"));

	for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
		report_path(value_of(options, named[i].parameter), found, context);
		report_path(value_of(defaults, named[i].parameter), found, context);
		report_path(getenv(named[i].variable), found, context);
	}
	for (size_t i = 0; home != NULL && i < sizeof in_home / sizeof *in_home; i++) {
		char *path = mem_printf("%s/%s", home, in_home[i]);

		found(context, path);
		free(path);
	}
	PQconninfoFree(defaults);
	PQconninfoFree(options);
	free(masked);
}
