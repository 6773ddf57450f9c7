/*
 * RUN_AS: a service started by root becomes another user. The option is not named USER, because every shell sets that
 * variable.
 */
#ifndef MASTER_RUN_AS_H
#define MASTER_RUN_AS_H

#include "base/error.h"
#include "config/config.h"

/*
 * If RUN_AS is given, checks that this process can become that user, and that the user can use the files of an earlier
 * service of root: DATA_DIR, the stores' files and the ring. Changes nothing. Returns 0 or <0.
 */
int run_as_check(const struct config *config, struct error *err);

/*
 * As run_as_check(), and becomes the user of RUN_AS, with its groups; without RUN_AS does nothing. Makes the user's
 * missing directories where only root may write. Keeps the right to listen on any port until run_as_finish(). The
 * master calls it before it opens any of these files. Returns 0, or <0: the process is root or only partly changed, and
 * must exit.
 */
int run_as(const struct config *config, struct error *err);

/* Gives up the right to listen on any port, after the listeners are open. */
void run_as_finish(const struct config *config);

#endif
