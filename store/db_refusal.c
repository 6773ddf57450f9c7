/* Reads what the database has noted about the last call. */
#include "store/db_refusal.h"

#include <string.h>

#include "store/db_ops.h"

#define QUERY_CANCELED "57014" /* an SQLSTATE */

bool
db_conflict(const struct db *db)
{
	return db->conflict;
}

bool
db_lacks_partition(const struct db *db)
{
	return db->lacks_partition;
}

bool
db_timed_out(const struct db *db)
{
	return strcmp(db->sqlstate, QUERY_CANCELED) == 0;
}

bool
db_unexplained(const struct db *db)
{
	return db->unexplained;
}

const char *
db_sqlstate(const struct db *db)
{
	return db->sqlstate;
}
