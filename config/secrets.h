/* Secrets: the options whose rows say .secret. */
#ifndef CONFIG_SECRETS_H
#define CONFIG_SECRETS_H

#include "base/error.h"
#include "config/options.h"

struct config;

/* The longest secret that a file may hold. */
#define SECRET_MAX_BYTES 16384

/*
 * Reads the secret in a regular file into out, without a newline at the end of the file. Never waits. <0: the reason in
 * err, as a predicate: "cannot be read: Permission denied". Wipe out after use, also after a failure.
 */
int secret_read_file(const char *path, char out[SECRET_MAX_BYTES + 1], struct error *err);

/*
 * Overwrites the secrets of other processes wherever this process holds them: *config, the environment block and argv
 * as /proc shows them; and PGPASSWORD, which libpq reads, in acceptors, which talk to strangers, and in a process that
 * keeps none (SECRET_FOR_NONE). Called right after fork.
 */
void config_wipe_secrets(struct config *config, int argc, char **argv, enum secret_for keeper);

#endif
