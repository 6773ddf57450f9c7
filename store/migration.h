/* The numbered files of schema/, as schema/embed.py embeds them: a set for the hook events, one for the webhooks. */
#ifndef STORE_MIGRATION_H
#define STORE_MIGRATION_H

#include "base/error.h"

struct migration {
	int version; /* 1, 2, 3, ... */
	const char *name;
	const char *sql; /* one transaction, which records itself in the set's table */
};

/* Files that build on each other. A database may have one set or both; each set has its own table of versions. */
struct migration_set {
	const char *table; /* of the versions that a database has */
	const char *schema; /* the name of the set's schema in messages: "database schema" */
	const struct migration *migrations; /* in order */
	int target; /* how many, >= 1: the version that this program needs */
};

/*
 * Compares a database's version with the set's target. 0: equal. <0: newer or older, with a sentence that says what to
 * do.
 */
int migration_check_version(const struct migration_set *set, int version, struct error *err);

/* The result of migrating a database. */
struct store_migrated {
	const char *option; /* the option that names it: "DATABASE_URL" */
	int version; /* of the schema now */
	int applied; /* migrations, including those of sets that this schema builds on */
};
enum store_condition { STORE_NO_DATABASE = 1 };

extern const struct migration_set postgres_migrations;
extern const struct migration_set sqlite_migrations;
/* Applied after postgres_migrations, whose functions make the months. */
extern const struct migration_set webhooks_postgres_migrations;
extern const struct migration_set webhooks_sqlite_migrations;

#endif
