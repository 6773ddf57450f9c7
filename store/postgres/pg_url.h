/* Finds out whether libpq accepts the URL of a database, before it is used. */
#ifndef STORE_POSTGRES_PG_URL_H
#define STORE_POSTGRES_PG_URL_H

#include "base/error.h"

/*
 * option names the option whose value url is, for the sentence. url has a form that config/database_url.h knows. Looks
 * up no name, connects to nothing. 0, or <0 with a sentence that names the fault: a parameter that libpq does not know,
 * a value that it refuses, a percent sign, a raw '@'. The password is neither in the sentence nor left in memory.
 */
int pg_url_check(const char *option, const char *url, struct error *err);

#endif
