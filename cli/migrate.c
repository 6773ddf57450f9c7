/* hooksctl migrate: for DBAs who run the service with AUTO_MIGRATE=false. */
#include <stdio.h>

#include "cli/commands.h"
#include "store/store.h"

int
command_migrate(const struct config *config, char *const *words)
{
	int applied = 0, version;
	struct error err;
	int rc = store_migrate(config, &applied, &version, &err);

	if (rc == STORE_NO_DATABASE) {
		fprintf(stderr,
		    "hooksctl migrate: DATABASE_URL is not set: set it to the database to migrate, as its owner\n");
		return COMMAND_USAGE;
	}
	if (rc != 0) {
		fprintf(stderr, "hooksctl migrate: %s\n", err.text);
		return COMMAND_FAILED;
	}
	if (applied == 0)
		printf("the schema is at version %d already: nothing to do\n", version);
	else
		printf(
		    "applied %d migration%s: the schema is at version %d\n", applied, applied == 1 ? "" : "s", version);
	return COMMAND_OK;
}
