/* hooksctl migrate: for DBAs who run the service with AUTO_MIGRATE=false. */
#include <stdio.h>

#include "cli/commands.h"
#include "store/postgres/migrate.h"

int
command_migrate(const struct config *config, char *const *words)
{
	struct pg *pg = NULL;
	struct error err;
	int applied = 0;
	int rc;

	if (config->database_url == NULL) {
		fprintf(stderr,
		    "hooksctl migrate: DATABASE_URL is not set: set it to the database to migrate, as its owner\n");
		return COMMAND_USAGE;
	}
	rc = pg_open(&pg, config->database_url, &err);
	if (rc == 0)
		rc = migrate_apply(pg, &applied, &err);
	pg_close(pg);
	if (rc != 0) {
		fprintf(stderr, "hooksctl migrate: %s\n", err.text);
		return COMMAND_FAILED;
	}
	if (applied == 0)
		printf("the schema is at version %d already: nothing to do\n", migrate_target());
	else
		printf("applied %d migration%s: the schema is at version %d\n", applied, applied == 1 ? "" : "s",
		    migrate_target());
	return COMMAND_OK;
}
