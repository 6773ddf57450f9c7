/* DATABASE_URL: the forms it may have, and how to show one without its password. */
#ifndef CONFIG_DATABASE_URL_H
#define CONFIG_DATABASE_URL_H

/*
 * A copy of text as libpq takes it, or NULL when it has none of the known forms: postgres:// or postgresql:// URIs,
 * the same with a driver's name as SQLAlchemy writes them (postgresql+asyncpg://, which is left out of the copy),
 * and connection strings ("host=db dbname=events"). Only the form is checked; the rest is libpq's to judge.
 * Secret: wipe it before free().
 */
char *database_url_read(const char *text);

/*
 * A copy of url (of a form above) that may be shown: every password in it is "***", be it before the '@' of a URI,
 * a parameter of its query, or a setting of a connection string. Where a malformed one leaves in doubt what is
 * password, more is hidden, not less. Release with free().
 */
char *database_url_masked(const char *url);

#endif
