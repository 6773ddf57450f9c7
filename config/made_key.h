/* The API key that a start makes where none is given: HL_MAKE_API_KEY. */
#ifndef CONFIG_MADE_KEY_H
#define CONFIG_MADE_KEY_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"

struct config;

/* Writes the path of the key's file, in data_dir. 0, or <0 with errno: it is too long. */
int made_key_path(const char *data_dir, char out[PATH_MAX], struct error *err);

/* Whether there is something of that name, also where this process may not look. */
bool made_key_is_there(const char *path);

/*
 * Sets hl_api_key to the key in the file. Where there is no file, to a new one, which nobody else knows until
 * made_key_keep(). Returns 0, or <0: the file cannot be read, or holds no key.
 */
int made_key_find(struct config *config, struct error *err);

/*
 * With hl_make_api_key: writes hl_api_key into the file, for its user alone; when it returns 0 the key outlives a power
 * cut. Where another start has made a key since made_key_find(), hl_api_key becomes that one. <0: neither was possible.
 * For the master, which has the lock of DATA_DIR.
 */
int made_key_keep(struct config *config, struct error *err);

#endif
