/* Parameters of a statement of store/db.h as texts, for PostgreSQL. They are checked already. */
#ifndef STORE_POSTGRES_DB_TEXTS_H
#define STORE_POSTGRES_DB_TEXTS_H

#include "base/bytes.h"
#include "store/db_ops.h"

/* Sets texts[i] to the text of each parameter, NULL for null. They are in buffer, whose contents they replace. */
void db_texts(struct bytes *buffer, const struct db_call *call, const char *texts[DB_PARAMS_MAX]);

/* Appends the call's statement to sql, with the parameters as literals: for a message of several statements. */
void db_texts_add_statement(struct bytes *sql, const struct db_call *call, const char *const texts[DB_PARAMS_MAX]);

#endif
