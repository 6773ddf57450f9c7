/* DATABASE_URL: its accepted forms, and a copy without passwords for display. */
#ifndef CONFIG_DATABASE_URL_H
#define CONFIG_DATABASE_URL_H

/*
 * A copy of text in a form that libpq accepts, or NULL if text has another form. Accepted are postgres:// and
 * postgresql:// URIs, the same with a driver as SQLAlchemy writes it (postgresql+asyncpg://; the copy drops the
 * driver), and connection strings ("host=db dbname=events"). libpq checks the rest. The copy is secret: wipe it before
 * free().
 */
char *database_url_read(const char *text);

/*
 * A copy of url (of a form above) for display: each password is "***", be it before the '@' of a URI, in its query, or
 * in a setting of a connection string. In doubt, a part of a malformed url is hidden. Release with free().
 */
char *database_url_masked(const char *url);

#endif
