/* HL_MAKE_API_KEY: the API key that a start makes if none is given. */
#ifndef CONFIG_MADE_KEY_H
#define CONFIG_MADE_KEY_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"

struct config;

/* Writes the path of the key's file in data_dir. Returns 0, or <0 with errno: the path is too long. */
int made_key_path(const char *data_dir, char out[PATH_MAX], struct error *err);

/* Whether path exists. True also if this process may not look. */
bool made_key_is_there(const char *path);

/*
 * Sets hl_api_key to the key in the file, or to a new key if there is no file; made_key_keep() then writes it. Returns
 * 0, or <0: the file cannot be read, or holds no key.
 */
int made_key_find(struct config *config, struct error *err);

/*
 * If hl_make_api_key: writes hl_api_key durably into the file, with mode 0600. If another start has made the file since
 * made_key_find(), reads hl_api_key from it instead. Returns 0, or <0: the file can be neither written nor read. Only
 * the master calls this, holding the lock of DATA_DIR.
 */
int made_key_keep(struct config *config, struct error *err);

#endif
