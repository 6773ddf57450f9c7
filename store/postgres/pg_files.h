/* The files that libpq reads when it connects: certificates, keys, passwords, services. */
#ifndef STORE_POSTGRES_PG_FILES_H
#define STORE_POSTGRES_PG_FILES_H

/*
 * Calls found() with the path of each file or directory that libpq may read: those that url names, or the
 * service that it names, those that libpq's environment variables name, and those of the home directory. One may come
 * twice. They need not exist. url is one that libpq accepts.
 * context is found()'s.
 */
void pg_files_each(const char *url, void (*found)(void *context, const char *path), void *context);

#endif
