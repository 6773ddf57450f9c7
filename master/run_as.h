/*
 * RUN_AS: a service that root starts goes on as another user. The option is not named USER, because every shell sets a
 * variable of that name.
 */
#ifndef MASTER_RUN_AS_H
#define MASTER_RUN_AS_H

#include "base/error.h"
#include "config/config.h"

/*
 * Whether RUN_AS, if it is given, names a user that this process can become, and whether that user can use what a
 * service of root has left: DATA_DIR, the stores' files and the ring. Changes nothing. 0 or <0.
 */
int run_as_check(const struct config *config, struct error *err);

/*
 * As run_as_check(), and becomes the user of RUN_AS, with the groups that it is in; without RUN_AS it does nothing.
 * Makes directories for the user that are missing where only root may write. The process keeps one right of root, that
 * to listen on any port, until run_as_finish(). Called in the master before it opens any of these files. Returns 0, or
 * <0 with the process still root's or ended halfway: it must end.
 */
int run_as(const struct config *config, struct error *err);

/* Gives up that right: the listeners are open. */
void run_as_finish(const struct config *config);

#endif
