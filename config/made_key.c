/* The key is written to a new file that is then renamed, so that no reader finds half a key. */
#include "config/made_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "base/files.h"
#include "config/config.h"
#include "config/option_value.h"
#include "config/options.h"
#include "config/secrets.h"

#define KEY_FILE "api-key" /* in DATA_DIR */
#define KEY_BEGIN "hl_own_"
#define KEY_RANDOM_BYTES 32

int
made_key_path(const char *data_dir, char out[PATH_MAX], struct error *err)
{
	if (snprintf(out, PATH_MAX, "%s/" KEY_FILE, data_dir) < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return error_errno(err, "DATA_DIR=%s", data_dir);
}

bool
made_key_is_there(const char *path)
{
	return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static int
read_key(struct config *config, const char *path, struct error *err)
{
	const struct option *option = &option_table[OPTION_HL_API_KEY];
	char value[SECRET_MAX_BYTES + 1], allowed[256];
	struct error reason;
	int rc = secret_read_file(path, value, &reason);

	option_allowed(option, allowed, sizeof allowed);
	if (rc != 0)
		(void)error_set(err, "the file of the API key, %s, %s", path, reason.text);
	else if ((rc = option_set(option, value, config, &reason)) != 0)
		(void)error_set(err, "the file of the API key, %s, must hold %s; without it a start makes a new key",
		    path, allowed);
	explicit_bzero(value, sizeof value);
	return rc;
}

static int
make_key(struct config *config, struct error *err)
{
	char value[sizeof KEY_BEGIN - 1 + BASE64_TEXT_BYTES(KEY_RANDOM_BYTES)] = KEY_BEGIN;
	uint8_t random[KEY_RANDOM_BYTES];
	int rc;

	crypto_random(random, sizeof random);
	(void)base64_encode(random, sizeof random, BASE64_URL, value + sizeof KEY_BEGIN - 1);
	rc = option_set(&option_table[OPTION_HL_API_KEY], value, config, err);
	explicit_bzero(random, sizeof random);
	explicit_bzero(value, sizeof value);
	return rc;
}

int
made_key_find(struct config *config, struct error *err)
{
	char path[PATH_MAX];

	if (made_key_path(config->data_dir, path, err) != 0)
		return -1;
	return made_key_is_there(path) ? read_key(config, path, err) : make_key(config, err);
}

static int
write_key(const char *key, const char *path, struct error *err)
{
	int fd = files_open(path, O_WRONLY | O_TRUNC, 0600, "DATA_DIR", err);
	int rc;

	if (fd < 0)
		return -1;
	if (files_write(fd, key, strlen(key)) == 0 && files_write(fd, "\n", 1) == 0 && fsync(fd) == 0)
		rc = 0;
	else
		rc = error_errno(err, "cannot write %s", path);
	close(fd);
	return rc;
}

int
made_key_keep(struct config *config, struct error *err)
{
	char path[PATH_MAX], fresh[PATH_MAX];

	if (!config->hl_make_api_key)
		return 0;
	if (made_key_path(config->data_dir, path, err) != 0)
		return -1;
	if (made_key_is_there(path))
		return read_key(config, path, err);
	if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) {
		errno = ENAMETOOLONG;
		return error_errno(err, "DATA_DIR=%s", config->data_dir);
	}
	return write_key(config->hl_api_key, fresh, err) == 0 ? files_rename(fresh, path, err) : -1;
}
