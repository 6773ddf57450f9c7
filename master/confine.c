/*
 * Derives a sandbox's paths from options and environment. A file that may be replaced, such as a renewed certificate,
 * is allowed by its directory, because rights belong to an inode and not to a name.
 */
#include "master/confine.h"

#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "config/data_dir.h"
#include "store/store.h"
#include "store/webhooks_store.h"
#include "writer/spool_file.h"

/* For the resolver, its modules, and TLS: configuration, libraries, certificates. */
static const char *const network_files[] = {"/etc", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib",
    "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/pki", "/var/lib/ca-certificates",
    "/var/lib/sss", "/run/systemd/resolve", "/run/systemd/userdb", "/run/nscd", "/dev/urandom"};
static const char *const network_variables[] = {"SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF", "OPENSSL_MODULES",
    "KRB5_CONFIG", "KRB5CCNAME", "KRB5_CLIENT_KTNAME", "HOSTALIASES"};

/* ---- reading ---- */

static bool
is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Allows reading a file's directory; but only the file itself in "/", /tmp or the home directory. */
static void
read_beside(struct sandbox *sandbox, const char *path)
{
	const char *home = getenv("HOME");
	char *copy = mem_strdup(path);
	const char *directory = is_directory(path) ? path : dirname(copy);
	bool too_much = strcmp(directory, "/") == 0 || strcmp(directory, "/tmp") == 0 ||
			(home != NULL && strcmp(directory, home) == 0);

	sandbox_may_read(sandbox, too_much ? path : directory);
	free(copy);
}

static bool
is_beneath(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	return strncmp(path, directory, len) == 0 && path[len] == '/';
}

/* Allows reading a path and its link's target. For store_credentials_each(). */
static void
read_place(void *sandbox, const char *path)
{
	char *copy = mem_strdup(path), *real = realpath(path, NULL), *directory = realpath(dirname(copy), NULL);

	read_beside(sandbox, path);
	if (real != NULL && (directory == NULL || !is_beneath(real, directory)))
		read_beside(sandbox, real);
	free(directory);
	free(real);
	free(copy);
}

/* Sets HOME if it is missing, because libpq and others look the home up then. */
static void
set_home(void)
{
	const char *home = getenv("HOME");
	const struct passwd *user;

	if ((home == NULL || home[0] == '\0') && (user = getpwuid(geteuid())) != NULL)
		(void)setenv("HOME", user->pw_dir, 1);
}

/* The default place of Kerberos tickets. */
static void
read_tickets(struct sandbox *sandbox)
{
	char path[64];

	(void)snprintf(path, sizeof path, "/tmp/krb5cc_%u", (unsigned)geteuid());
	read_place(sandbox, path);
}

static void
read_network_files(struct sandbox *sandbox)
{
	for (size_t i = 0; i < sizeof network_files / sizeof *network_files; i++)
		sandbox_may_read(sandbox, network_files[i]);
	for (size_t i = 0; i < sizeof network_variables / sizeof *network_variables; i++) {
		const char *value = getenv(network_variables[i]);
		const char *path = value != NULL ? strchr(value, '/') : NULL; /* also in FILE:/path */

		if (path != NULL)
			read_place(sandbox, path);
	}
	read_place(sandbox, "/etc/resolv.conf");
	read_place(sandbox, "/etc/hosts");
	read_tickets(sandbox);
}

/* ---- writing ---- */

/*
 * Allows writing beneath the directory. For a relative path allows its first component, which the service makes itself,
 * so that a process can make removed directories again.
 */
static void
write_beneath(struct sandbox *sandbox, const char *directory)
{
	bool is_plain = strstr(directory, "..") == NULL && strncmp(directory, "./", 2) != 0;
	size_t first = strcspn(directory, "/");
	char *copy = mem_strdup(directory);

	if (is_plain && first > 0)
		copy[first] = '\0';
	sandbox_may_write(sandbox, copy);
	free(copy);
}

static void
write_beside(struct sandbox *sandbox, const char *path)
{
	char *copy = mem_strdup(path);

	write_beneath(sandbox, dirname(copy));
	free(copy);
}

/* Makes the file's directory now, because the confined process cannot write in its parent. */
static void
write_file(struct sandbox *sandbox, const char *path, const char *option)
{
	char *real = realpath(path, NULL);
	struct error ignored; /* the store reports it when it is opened */

	if (real == NULL)
		(void)files_make_parents(path, option, &ignored);
	write_beside(sandbox, path);
	if (real != NULL)
		write_beside(sandbox, real); /* the link's target */
	free(real);
}

static void
write_data_dir(struct sandbox *sandbox, const char *data_dir)
{
	static const char *const spools[] = {SPOOL_DIRECTORY, SPOOL_DIRECTORY_PUBLISHED};
	char path[PATH_MAX];
	struct error ignored;

	(void)snprintf(path, sizeof path, "%s/" DATA_DIR_LOCK, data_dir);
	(void)files_make_parents(path, "DATA_DIR", &ignored);
	write_beneath(sandbox, data_dir);
	for (size_t i = 0; i < sizeof spools / sizeof *spools; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", data_dir, spools[i]);

		char *real = realpath(path, NULL);

		if (real != NULL)
			sandbox_may_write(sandbox, real); /* the spool may be a link to another disk */
		free(real);
	}
}

static void
write_store_file(struct sandbox *sandbox, const struct store_file *file)
{
	if (file->path != NULL)
		write_file(sandbox, file->path, file->option);
}

/* A reader of SQLite's writes also: its locks are in a file beside the database. */
static void
use_events(struct sandbox *sandbox, const struct config *config)
{
	const struct store_file file = store_file(config);

	write_store_file(sandbox, &file);
	store_credentials_each(config, read_place, sandbox);
	sandbox->connects |= config->storage == STORAGE_POSTGRES;
}

static void
store_events(struct sandbox *sandbox, const struct config *config, const struct segment *segment)
{
	const char *earlier = segment->header->jsonl_path;

	use_events(sandbox, config);
	/* A writer of an earlier run may have died while appending there. */
	if (access(earlier, F_OK) == 0)
		write_beside(sandbox, earlier);
}

static void
store_webhooks(struct sandbox *sandbox, const struct config *config, const struct segment *segment)
{
	const struct store_file file = webhooks_store_file(config);

	write_store_file(sandbox, &file);
	sandbox_may_reopen(sandbox, segment->fd); /* the turn to write (shm/write_turn.h) */
	webhooks_store_credentials_each(config, read_place, sandbox);
	sandbox->connects |= config->hl_store == HL_STORE_POSTGRES;
}

int
confine(const struct config *config, const struct segment *segment, const struct rights *rights, uint32_t index,
    struct error *err)
{
	struct sandbox sandbox = {.serves = rights->serves, .connects = rights->delivers};

	if (!config->sandbox)
		return 0;
	if (!rights->serves)
		set_home();
	if (rights->data_dir == DATA_DIR_OF_EACH || (rights->data_dir == DATA_DIR_OF_FIRST && index == 0))
		write_data_dir(&sandbox, config->data_dir);
	if (rights->stores_events)
		store_events(&sandbox, config, segment);
	if (rights->reads_events && config_streams_hook_events(config))
		use_events(&sandbox, config);
	if (rights->stores_webhooks)
		store_webhooks(&sandbox, config, segment);
	if (sandbox.connects)
		read_network_files(&sandbox);

	int rc = sandbox_enter(&sandbox, err);

	if (rc != SANDBOX_REFUSED)
		return rc;
	log_warning(
	    "the sandbox is incomplete: the kernel or the container refuses a part", LOG_STR("error", err->text));
	return 0;
}

void
confine_report(const struct config *config)
{
	const char *missing = sandbox_missing();

	if (!config->sandbox)
		log_info("processes are not confined", LOG_STR("option", "SANDBOX"));
	else if (missing != NULL)
		log_info("sandboxes are incomplete: the kernel or the container lacks a mechanism",
		    LOG_STR("missing", missing));
}
