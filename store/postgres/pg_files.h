/* The files that libpq reads when it connects: certificates, keys, passwords, services. */
#ifndef STORE_POSTGRES_PG_FILES_H
#define STORE_POSTGRES_PG_FILES_H

/*
 * Calls found(context) with the path of each file or directory that libpq may read: those named by url or its service,
 * by libpq's environment variables, and those in the home directory. A path may come twice, and need not exist. libpq
 * must accept url.
 */
void pg_files_each(const char *url, void (*found)(void *context, const char *path), void *context);

#endif
