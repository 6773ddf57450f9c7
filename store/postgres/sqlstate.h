/* What a refusal of PostgreSQL says about who is to blame when it does not store rows. */
#ifndef STORE_POSTGRES_SQLSTATE_H
#define STORE_POSTGRES_SQLSTATE_H

#include "store/postgres/pg.h"

enum refusal {
	REFUSAL_ROW, /* some row, now and for ever: a number too large, a CHECK, a trigger that raises */
	REFUSAL_DUPLICATE, /* a key that is there already */
	REFUSAL_RACE, /* another session was in the way: the same statement may succeed at once */
	REFUSAL_MONTH, /* perhaps the table has no partition for some row, or it was made while the row was on its way */
	REFUSAL_STORE, /* the server's state: shutting down, disk full, read-only, a lock that is held */
	REFUSAL_UNCLEAR /* some row, or every row: a trigger that fails, a right or a value that only the table knows of */
};

/* Looks at the SQLSTATE and the names; "" as SQLSTATE (an error that libpq made) is the store's. */
enum refusal refusal_of(const struct pg_refusal *said);

#endif
