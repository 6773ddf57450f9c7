/* Secrets: the options whose rows say .secret. */
#ifndef CONFIG_SECRETS_H
#define CONFIG_SECRETS_H

#include "base/error.h"
#include "config/options.h"

struct config;

/* The longest secret that a file may hold. */
#define SECRET_MAX_BYTES 16384

/*
 * Reads the secret in a regular file into out, without its trailing newline. Never blocks. Returns 0, or <0 with a
 * predicate: "cannot be read: Permission denied". Wipe out after use, also after a failure.
 */
int secret_read_file(const char *path, char out[SECRET_MAX_BYTES + 1], struct error *err);

/*
 * Overwrites the secrets that this process does not need: in *config, the environment block and argv (both visible in
 * /proc). Acceptors and processes with SECRET_FOR_NONE also lose PGPASSWORD, which libpq reads. Called right after
 * fork.
 */
void config_wipe_secrets(struct config *config, int argc, char **argv, enum secret_for keeper);

#endif
