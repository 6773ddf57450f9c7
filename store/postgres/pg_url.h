/* Finds out whether libpq accepts the URL of a database, before it is used. */
#ifndef STORE_POSTGRES_PG_URL_H
#define STORE_POSTGRES_PG_URL_H

#include "base/error.h"

/*
 * Checks url, which has a form that config/database_url.h knows. option: its option's name, for the message. Looks up
 * no name, connects to nothing. 0, or <0 with a message that names the fault: an unknown parameter, a refused value, a
 * percent sign, a raw '@'. The password is neither in the message nor left in memory.
 */
int pg_url_check(const char *option, const char *url, struct error *err);

#endif
