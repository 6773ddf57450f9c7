/* Only a check: at a later start, or for another user, files and rights may differ. */
#include "master/preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/listener.h"
#include "server/tls.h"
#include "store/webhooks_store.h"

/* Checks a directory: it exists and is writable, or can be made. */
static int
check_directory(const char *option, const char *value, const char *path, struct error *err)
{
	char at[PATH_MAX];
	struct stat st;

	(void)snprintf(at, sizeof at, "%s", path);
	while (stat(at, &st) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return error_errno(err, "%s=%s: cannot look at %s", option, value, at);
		char *above = dirname(at); /* in the same buffer */
		(void)memmove(at, above, strlen(above) + 1);
	}
	if (!S_ISDIR(st.st_mode)) {
		(void)error_set(err, "%s=%s: %s is no directory", option, value, at);
		return PREFLIGHT_WRONG;
	}
	if (faccessat(AT_FDCWD, at, W_OK | X_OK, AT_EACCESS) != 0)
		return error_errno(err, "%s=%s: cannot write into the directory %s", option, value, at);
	return 0;
}

/* Checks a file: it exists and is writable, or can be made. */
static int
check_file(const char *option, const char *path, struct error *err)
{
	char above[PATH_MAX];
	struct stat st;

	if (stat(path, &st) != 0) {
		(void)snprintf(above, sizeof above, "%s", path);
		return check_directory(option, path, dirname(above), err);
	}
	if (S_ISDIR(st.st_mode)) {
		(void)error_set(err, "%s=%s is a directory: it must be a file", option, path);
		return PREFLIGHT_WRONG;
	}
	if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) != 0)
		return error_errno(err, "%s=%s cannot be read and written", option, path);
	return 0;
}

/* Checks a store's file, if any. */
static int
check_store_file(const struct store_file *file, struct error *err)
{
	char above[PATH_MAX];

	if (file->path == NULL)
		return 0;
	int rc = check_file(file->option, file->path, err);
	if (rc != 0 || !file->has_companions)
		return rc;
	(void)snprintf(above, sizeof above, "%s", file->path);
	return check_directory(file->option, file->path, dirname(above), err);
}

/* Checks the ring file. A start does not make its directory, and reserves all of its bytes. */
static int
check_ring(const struct config *config, struct error *err)
{
	bool webhooks = config_api_is_on(config);
	uint64_t bytes = config->ring_bytes + (webhooks ? config->hl_ring_bytes : 0);
	char above[PATH_MAX];
	struct statvfs disk;
	struct stat st;
	int rc = check_file("RING_PATH", config->ring_path, err);

	if (rc != 0 || stat(config->ring_path, &st) == 0)
		return rc;
	(void)snprintf(above, sizeof above, "%s", config->ring_path);
	const char *directory = dirname(above);
	if (statvfs(directory, &disk) != 0)
		return error_errno(err, "RING_PATH=%s: cannot look at the directory %s", config->ring_path, directory);
	if ((uint64_t)disk.f_bavail * disk.f_frsize < bytes)
		return error_set(err,
		    "RING_PATH=%s: %s has no room for the %llu bytes of RING_BYTES%s: enlarge it (docker, podman: "
		    "--shm-size), or set smaller ones or another RING_PATH",
		    config->ring_path, directory, (unsigned long long)bytes, webhooks ? " and HL_RING_BYTES" : "");
	return 0;
}

static int
check_tls(const struct config *config, struct error *err)
{
	struct tls tls = {0};
	bool wrong;

	if (config->tls_cert_file == NULL)
		return 0;
	wrong = tls_load(&tls, config, err) != 0 || tls_is_out_of_time(&tls, config, clock_wall_us() / 1000000, err);
	tls_free(&tls);
	return wrong ? PREFLIGHT_WRONG : 0;
}

int
preflight(const struct config *config, struct error *err)
{
	const struct store_file events = store_file(config), webhooks = webhooks_store_file(config);
	int rc = check_tls(config, err);

	if (rc == 0)
		rc = check_directory("DATA_DIR", config->data_dir, config->data_dir, err);
	if (rc == 0)
		rc = check_store_file(&events, err);
	if (rc == 0)
		rc = check_store_file(&webhooks, err);
	if (rc == 0)
		rc = check_ring(config, err);
	if (rc == 0)
		rc = listeners_check(config->host, config->port, err);
	return rc;
}
