/* The class of a SQLSTATE usually decides. */
#include "store/postgres/sqlstate.h"

#include <stddef.h>
#include <string.h>

#include "store/postgres/row_encode.h"

static const struct {
	const char *sqlstate; /* or a class */
	enum refusal_cause cause;
} causes[] = {
    {SQLSTATE_UNIQUE_VIOLATION, CAUSE_DUPLICATE},
    {"21", CAUSE_ROW}, /* cardinality violation */
    {SQLSTATE_CLASS_DATA_EXCEPTION, CAUSE_ROW}, /* a number too large, text that jsonb cannot hold */
    {SQLSTATE_CLASS_INTEGRITY, CAUSE_ROW}, /* a CHECK, a foreign key, NOT NULL */
    {SQLSTATE_CLASS_VIEW_CHECK, CAUSE_ROW}, /* the condition of a view in place of the table */
    {"45", CAUSE_ROW}, /* a state that a trigger has made up */
    {"54", CAUSE_ROW}, /* program limit exceeded: too many keys, an index entry too large */
    {"P0", CAUSE_ROW}, /* raised by a function, such as a trigger */
    {"40", CAUSE_RACE}, /* a deadlock with another writer that stores the same events */
    {"08", CAUSE_STORE}, /* connection exception, also PgBouncer's */
    {"25", CAUSE_STORE}, /* invalid transaction state: a read-only server */
    {"28", CAUSE_STORE}, /* invalid authorization */
    {"3D", CAUSE_STORE}, /* no such database */
    {"53", CAUSE_STORE}, /* insufficient resources: disk full, out of memory */
    {"55", CAUSE_STORE}, /* object not in prerequisite state: a lock that is held */
    {"57", CAUSE_STORE}, /* operator intervention: shutting down, cancelled, timed out */
    {"58", CAUSE_STORE}, /* system error */
    {SQLSTATE_DATA_CORRUPTED, CAUSE_STORE},
    {SQLSTATE_INDEX_CORRUPTED, CAUSE_STORE},
};

bool
sqlstate_is(const char *sqlstate, const char *expected)
{
	return strncmp(sqlstate, expected, strlen(expected)) == 0;
}

/*
 * A CHECK has a name, also a domain's. Citus does not pass on the name, and a trigger may raise this state without
 * one.
 */
static bool
may_lack_partition(const struct pg_refusal *refusal)
{
	return sqlstate_is(refusal->sqlstate, SQLSTATE_CHECK_VIOLATION) && refusal->constraint[0] == '\0';
}

/* A column that hooksd does not write is null in every row. */
static bool
lacks_unknown_column(const struct pg_refusal *refusal)
{
	return sqlstate_is(refusal->sqlstate, SQLSTATE_NOT_NULL_VIOLATION) && refusal->column[0] != '\0' &&
	       !row_has_column(refusal->column);
}

enum refusal_cause
sqlstate_cause(const struct pg_refusal *refusal)
{
	if (refusal->sqlstate[0] == '\0')
		return CAUSE_STORE;
	if (may_lack_partition(refusal))
		return CAUSE_PARTITION;
	if (lacks_unknown_column(refusal))
		return CAUSE_UNCLEAR;
	for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
		if (sqlstate_is(refusal->sqlstate, causes[i].sqlstate))
			return causes[i].cause;
	return CAUSE_UNCLEAR;
}
