/* SQLSTATEs by class, their first two characters (PostgreSQL's documentation, appendix A). */
#include "writer/refusal.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *prefix;
	enum refusal refusal;
} refusals[] = {
    {"23505", REFUSAL_DUPLICATE}, {"21", REFUSAL_ROW}, /* cardinality violation */
    {"22", REFUSAL_ROW}, /* data exception: a number too large, text that jsonb cannot hold */
    {"23", REFUSAL_ROW}, /* integrity constraint violation: a CHECK, a foreign key, NOT NULL */
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

enum refusal
refusal_of(const char *sqlstate)
{
	if (sqlstate[0] == '\0')
		return REFUSAL_STORE;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
		if (strncmp(sqlstate, refusals[i].prefix, strlen(refusals[i].prefix)) == 0)
			return refusals[i].refusal;
	return REFUSAL_UNCLEAR;
}
