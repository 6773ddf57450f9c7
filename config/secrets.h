/* Secrets: the options whose rows say .secret. */
#ifndef CONFIG_SECRETS_H
#define CONFIG_SECRETS_H

struct config;

/*
 * Overwrites the secrets wherever this process holds them: *config, the environment block and argv as /proc shows them,
 * and PGPASSWORD, which is libpq's. Acceptors call it right after fork: they talk to strangers and need no database.
 */
void config_wipe_secrets(struct config *config, int argc, char **argv);

#endif
