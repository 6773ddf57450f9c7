/* DATABASE_URL: the forms it may have, and how to show one without its password. */
#ifndef CONFIG_DATABASE_URL_H
#define CONFIG_DATABASE_URL_H

/*
 * A copy of text as libpq takes it, or NULL when it has none of the known forms: postgres:// or postgresql:// URIs,
 * the same with a driver's name as SQLAlchemy writes them (postgresql+asyncpg://; the copy has no driver),
 * and connection strings ("host=db dbname=events"). Only the form is checked; libpq checks the rest.
 * Secret: wipe it before free().
 */
char *database_url_read(const char *text);

/*
 * A copy of url (of a form above) that may be shown: every password is "***", whether it stands before the '@' of a
 * URI, in a parameter of its query, or in a setting of a connection string. Of a malformed url more is hidden rather
 * than less. Release with free().
 */
char *database_url_masked(const char *url);

#endif
