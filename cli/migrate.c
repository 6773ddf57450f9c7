/* hooksctl migrate: for DBAs who run the service with AUTO_MIGRATE=false. */
#include <stdio.h>

#include "cli/commands.h"
#include "store/store.h"
#include "store/webhooks_store.h"

typedef int migrate_function(const struct config *config, struct store_migrated *done, struct error *err);

/* Migrates one schema, and reports the result. 0, STORE_NO_DATABASE or <0. */
static int
migrate(const char *what, migrate_function *function, const struct config *config)
{
	struct store_migrated done;
	struct error err;
	int rc = function(config, &done, &err);

	if (rc < 0)
		fprintf(stderr, "hooksctl migrate: %s (%s): %s\n", what, done.option, err.text);
	else if (rc == 0 && done.applied == 0)
		printf(
		    "%s (%s): the schema is at version %d already: nothing to do\n", what, done.option, done.version);
	else if (rc == 0)
		printf("%s (%s): applied %d migration%s: the schema is at version %d\n", what, done.option,
		    done.applied, done.applied == 1 ? "" : "s", done.version);
	return rc;
}

int
command_migrate(const struct config *config, char *const *words)
{
	int events = migrate("hook events", store_migrate, config);
	int webhooks = events >= 0 ? migrate("webhooks", webhooks_store_migrate, config) : STORE_NO_DATABASE;

	if (events < 0 || webhooks < 0)
		return COMMAND_FAILED;
	if (events == STORE_NO_DATABASE && webhooks == STORE_NO_DATABASE) {
		fprintf(stderr,
		    "hooksctl migrate: neither DATABASE_URL nor HL_POSTGRES_URL is set: set them to the databases to "
		    "migrate, as their owner\n");
		return COMMAND_USAGE;
	}
	return COMMAND_OK;
}
