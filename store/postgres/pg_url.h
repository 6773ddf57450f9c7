/* Whether PostgreSQL's library takes a DATABASE_URL, found out before it is used. */
#ifndef STORE_POSTGRES_PG_URL_H
#define STORE_POSTGRES_PG_URL_H

#include "base/error.h"

/*
 * url is of a form that config/database_url.h knows. Asks nobody, looks up no name, connects to nothing. 0, or <0 with a
 * sentence that names what is wrong: a parameter that libpq does not know or a value of one that it does not take, a percent
 * sign, a raw '@'. A password neither stands in the sentence nor stays behind in memory.
 */
int pg_url_check(const char *url, struct error *err);

#endif
