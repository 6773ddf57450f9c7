/* The numbered files of schema/, as schema/embed.py embeds them: one table for each database. */
#ifndef STORE_MIGRATION_H
#define STORE_MIGRATION_H

struct migration {
	int version; /* 1, 2, 3, ... */
	const char *name;
	const char *sql; /* one transaction, which records itself in hooks_schema_migrations */
};

/* All of them, in order; the counts are >= 1. */
extern const struct migration postgres_migrations[];
extern const int postgres_migrations_count;
extern const struct migration sqlite_migrations[];
extern const int sqlite_migrations_count;

#endif
