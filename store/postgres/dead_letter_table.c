/* One INSERT per letter: refusals are rare, and finding a refused row costs several statements anyway. */
#include "store/postgres/dead_letter_table.h"

#include <string.h>

#define INSERT_SQL                                                                                                     \
	"INSERT INTO hook_events_dead_letters (sqlstate, message, event_id, created_date, event_type, session_id, "    \
	"payload) VALUES ($1::text, $2::text, $3::uuid, $4::text::date, $5::text, $6::text, $7::text) "                \
	"ON CONFLICT DO NOTHING"

static struct pg_param
param(struct span text)
{
	return (struct pg_param){text.base, text.len};
}

int
dead_letter_table_add(
    struct session *session, const struct refused *refused, const struct record *record, struct error *err)
{
	struct bytes payload = {0};
	char day[DEAD_LETTER_DAY_BYTES];

	dead_letter_payload(&payload, record);
	dead_letter_day(record, day);
	const struct pg_param params[] = {
	    {refused->sqlstate, strlen(refused->sqlstate)},
	    {refused->message, strlen(refused->message)},
	    {record->event_id, sizeof record->event_id},
	    {day, sizeof day},
	    param(record_string(record, RECORD_EVENT_TYPE)),
	    param(record_string(record, RECORD_SESSION_ID)),
	    {payload.base, payload.len},
	};
	int rc = session_exec_params(
	    session, &(struct pg_statement){INSERT_SQL, params, sizeof params / sizeof *params}, NULL, err);
	bytes_free(&payload);
	return rc;
}
