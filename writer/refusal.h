/* What an SQLSTATE says about who is to blame when PostgreSQL refuses to store rows. */
#ifndef WRITER_REFUSAL_H
#define WRITER_REFUSAL_H

enum refusal {
	REFUSAL_ROW, /* some row, now and for ever: a number too large, a CHECK, a trigger that raises */
	REFUSAL_DUPLICATE, /* a key that is there already */
	REFUSAL_RACE, /* another session was in the way: the same statement may succeed at once */
	REFUSAL_STORE, /* the server's state: shutting down, disk full, read-only, a lock that is held */
	REFUSAL_UNCLEAR /* a row by way of some function, or a table that lacks a column or a right */
};

/* sqlstate has five characters; "" (an error that libpq made) is the store's. */
enum refusal refusal_of(const char *sqlstate);

#endif
