/* SQLSTATEs by class, their first two characters (PostgreSQL's documentation, appendix A). */
#include "store/postgres/sqlstate.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "store/postgres/row_encode.h"

static const struct {
	const char *prefix;
	enum refusal refusal;
} refusals[] = {
    {"23505", REFUSAL_DUPLICATE}, {"21", REFUSAL_ROW}, /* cardinality violation */
    {"22", REFUSAL_ROW}, /* data exception: a number too large, text that jsonb cannot hold */
    {"23", REFUSAL_ROW}, /* integrity constraint violation: a CHECK, a foreign key, NOT NULL */
    {"44", REFUSAL_ROW}, /* the condition of a view that stands for the table */
    {"45", REFUSAL_ROW}, /* a state that a trigger has made up */
    {"54", REFUSAL_ROW}, /* program limit exceeded: too many keys, an index entry too large */
    {"P0", REFUSAL_ROW}, /* raised by a function, such as a trigger */
    {"40", REFUSAL_RACE}, /* a deadlock with another writer that stores the same events */
    {"08", REFUSAL_STORE}, /* connection exception, also PgBouncer's */
    {"25", REFUSAL_STORE}, /* invalid transaction state: a read-only server */
    {"28", REFUSAL_STORE}, /* invalid authorization */
    {"3D", REFUSAL_STORE}, /* no such database */
    {"53", REFUSAL_STORE}, /* insufficient resources: disk full, out of memory */
    {"55", REFUSAL_STORE}, /* object not in prerequisite state: a lock that is held */
    {"57", REFUSAL_STORE}, /* operator intervention: shutting down, cancelled, timed out */
    {"58", REFUSAL_STORE}, /* system error */
    {"XX001", REFUSAL_STORE}, /* data corrupted */
    {"XX002", REFUSAL_STORE}, /* index corrupted */
};

/* A CHECK has a name, also a domain's. Citus passes no name on, and a trigger may raise this state without one. */
static bool
may_lack_partition(const struct pg_refusal *said)
{
	return strcmp(said->sqlstate, "23514") == 0 && said->constraint[0] == '\0';
}

/* A column that hooksd does not write is null in every row. */
static bool
lacks_column(const struct pg_refusal *said)
{
	return strcmp(said->sqlstate, "23502") == 0 && said->column[0] != '\0' && !row_has_column(said->column);
}

enum refusal
refusal_of(const struct pg_refusal *said)
{
	if (said->sqlstate[0] == '\0')
		return REFUSAL_STORE;
	if (may_lack_partition(said))
		return REFUSAL_MONTH;
	if (lacks_column(said))
		return REFUSAL_UNCLEAR;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
		if (strncmp(said->sqlstate, refusals[i].prefix, strlen(refusals[i].prefix)) == 0)
			return refusals[i].refusal;
	return REFUSAL_UNCLEAR;
}
