/* The stores that there are. No other file of the program knows which. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "config/config.h"
#include "store/sink.h"
#include "store/sink_env.h"

/*
 * Makes the sink for config->storage; open() opens it. config and env are borrowed for the sink's life. Ends the process
 * when out of memory.
 */
struct sink *store_new(const struct config *config, const struct sink_env *env);

/* Whether the options that name a store can be right, asking nobody. 0, or <0 with a sentence that names the option. */
int store_check_options(const struct config *config, struct error *err);

/*
 * For --check-config: whether what stands where the options point to can be this store, as far as this process may look
 * at it. Changes nothing, connects to nothing. 0, or <0 with a sentence that names the option.
 */
int store_check(const struct config *config, struct error *err);

#endif
