/* A manifest may come from anywhere: each member is checked, and none names a file. */
#include "cli/store_manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/files.h"
#include "base/mem.h"

#define FORMAT "agentic-hooks-backend: snapshot of the webhooks' store"
#define MANIFEST_BYTES_MAX 65536
#define NEW_FILE STORE_MANIFEST_FILE ".new"

/* ---- writing ---- */

static cJSON *
as_tree(const struct store_manifest *manifest)
{
	const struct sqlite_copy_facts *facts = &manifest->facts;
	cJSON *tree = cJSON_CreateObject(), *tables;

	cJSON_AddStringToObject(tree, "format", FORMAT);
	cJSON_AddNumberToObject(tree, "format_version", STORE_MANIFEST_VERSION);
	cJSON_AddStringToObject(tree, "made_at", manifest->made_at);
	cJSON_AddStringToObject(tree, "made_by", manifest->made_by);
	cJSON_AddStringToObject(tree, "store_id", facts->store_id);
	cJSON_AddStringToObject(tree, "deployment", facts->deployment);
	cJSON_AddNumberToObject(tree, "schema_version", facts->schema_version);
	cJSON_AddNumberToObject(tree, "bytes", (double)manifest->sum.bytes);
	cJSON_AddStringToObject(tree, "sha256", manifest->sum.digest);
	tables = cJSON_AddObjectToObject(tree, "tables");
	for (uint32_t i = 0; i < facts->table_count; i++)
		cJSON_AddNumberToObject(tables, facts->tables[i].name, (double)facts->tables[i].rows);
	return tree;
}

static int
write_text(const char *path, const char *text, struct error *err)
{
	int fd = files_open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW, 0600, "--dest", err);

	if (fd < 0)
		return -1;
	int rc = files_write(fd, text, strlen(text)) == 0 && files_write(fd, "\n", 1) == 0 && fsync(fd) == 0
		     ? 0
		     : error_errno(err, "cannot write %s", path);
	close(fd);
	return rc;
}

int
store_manifest_write(const char *directory, const struct store_manifest *manifest, struct error *err)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	int rc = store_path(directory, STORE_MANIFEST_FILE, path, err);

	if (rc == 0)
		rc = store_path(directory, NEW_FILE, fresh, err);
	if (rc != 0)
		return rc;
	cJSON *tree = as_tree(manifest);
	char *text = cJSON_Print(tree);
	cJSON_Delete(tree);
	if (text == NULL)
		mem_none(0);
	rc = write_text(fresh, text, err);
	cJSON_free(text);
	if (rc == 0)
		rc = files_rename(fresh, path, err);
	if (rc != 0)
		(void)unlink(fresh);
	return rc;
}

/* ---- reading ---- */

#define EXACT 9007199254740992.0 /* whole numbers up to this are exact as a double */

/* Reads the member as an integer from 0 to most. */
static bool
read_number(const cJSON *item, double most, int64_t *out)
{
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= most))
		return false;
	*out = (int64_t)item->valuedouble;
	return (double)*out == item->valuedouble;
}

/* Reads a text that messages may show: printable ASCII that fits. */
static bool
read_text(const char *text, char *out, size_t size)
{
	for (const char *c = text; *c != '\0'; c++)
		if (*c < 0x20 || *c > 0x7e)
			return false;
	return (size_t)snprintf(out, size, "%s", text) < size;
}

static bool
read_member(const cJSON *tree, const char *name, char *out, size_t size)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(tree, name);

	return cJSON_IsString(item) && read_text(item->valuestring, out, size);
}

static bool
read_tables(const cJSON *tree, struct sqlite_copy_facts *facts)
{
	const cJSON *tables = cJSON_GetObjectItemCaseSensitive(tree, "tables"), *item;

	if (!cJSON_IsObject(tables) || cJSON_GetArraySize(tables) > SQLITE_COPY_TABLES_MAX)
		return false;
	cJSON_ArrayForEach(item, tables)
	{
		struct sqlite_copy_table *table = &facts->tables[facts->table_count++];

		if (!read_text(item->string, table->name, sizeof table->name) ||
		    !read_number(item, EXACT, &table->rows))
			return false;
	}
	return true;
}

static bool
read_members(const cJSON *tree, struct store_manifest *manifest)
{
	int64_t bytes, version;

	if (!read_member(tree, "made_at", manifest->made_at, sizeof manifest->made_at) ||
	    !read_member(tree, "made_by", manifest->made_by, sizeof manifest->made_by) ||
	    !read_member(tree, "store_id", manifest->facts.store_id, sizeof manifest->facts.store_id) ||
	    !read_member(tree, "deployment", manifest->facts.deployment, sizeof manifest->facts.deployment) ||
	    !read_member(tree, "sha256", manifest->sum.digest, sizeof manifest->sum.digest) ||
	    !read_number(cJSON_GetObjectItemCaseSensitive(tree, "bytes"), EXACT, &bytes) ||
	    !read_number(cJSON_GetObjectItemCaseSensitive(tree, "schema_version"), 1000000, &version) ||
	    !read_tables(tree, &manifest->facts))
		return false;
	manifest->sum.bytes = (uint64_t)bytes;
	manifest->facts.schema_version = (int)version;
	return true;
}

/* Reads the tree, if it is the manifest of a snapshot that this version can restore. */
static int
read_tree(const cJSON *tree, const char *path, struct store_manifest *manifest, struct error *err)
{
	const cJSON *format = cJSON_GetObjectItemCaseSensitive(tree, "format");
	int64_t version;

	if (!cJSON_IsObject(tree))
		return error_set(err, "%s is damaged: take another snapshot", path);
	if (!cJSON_IsString(format) || strcmp(format->valuestring, FORMAT) != 0)
		return error_set(err, "%s belongs to another program: --from is the directory of a snapshot", path);
	if (!read_number(cJSON_GetObjectItemCaseSensitive(tree, "format_version"), 1000000, &version))
		return error_set(err, "%s is damaged: take another snapshot", path);
	if (version > STORE_MANIFEST_VERSION)
		return error_set(err,
		    "%s is of a newer version (format %" PRId64 ", this hooksctl knows %d): restore it by that version",
		    path, version, STORE_MANIFEST_VERSION);
	if (!read_members(tree, manifest))
		return error_set(err, "%s is damaged: take another snapshot", path);
	if (manifest->facts.schema_version > sqlite_copy_target_version())
		return error_set(err,
		    "%s: the database has schema version %d, which is newer than this program's %d: restore it by "
		    "version %s",
		    path, manifest->facts.schema_version, sqlite_copy_target_version(), manifest->made_by);
	return 0;
}

/* Reads the whole file, with a NUL behind it; the caller frees it. NULL: it cannot be read, or is too long. */
static char *
read_file(const char *path, size_t *len, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *text = NULL;
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		(void)error_set(err, "%s is not there: this is no snapshot, or one that was never finished", path);
	else if (fd < 0 || fstat(fd, &st) != 0)
		(void)error_errno(err, "cannot open %s", path);
	else if (!S_ISREG(st.st_mode) || st.st_size > MANIFEST_BYTES_MAX)
		(void)error_set(err, "%s is no manifest of a snapshot", path);
	else {
		*len = (size_t)st.st_size;
		text = mem_new(*len + 1, 1);
		if (files_read_at(fd, text, *len, 0) != 0) {
			(void)error_errno(err, "cannot read %s", path);
			free(text);
			text = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return text;
}

int
store_manifest_read(const char *directory, struct store_manifest *manifest, struct error *err)
{
	char path[PATH_MAX], *text;
	size_t len;

	*manifest = (struct store_manifest){.sum = {0}};
	if (store_path(directory, STORE_MANIFEST_FILE, path, err) != 0 || (text = read_file(path, &len, err)) == NULL)
		return -1;
	cJSON *tree = strlen(text) == len ? cJSON_ParseWithOpts(text, NULL, true) : NULL;
	int rc = read_tree(tree, path, manifest, err);
	cJSON_Delete(tree);
	free(text);
	return rc;
}

/* ---- comparing ---- */

int
store_manifest_check(const struct store_manifest *manifest, const struct sqlite_copy_facts *found, struct error *err)
{
	const struct sqlite_copy_facts *said = &manifest->facts;

	if (found->schema_version != said->schema_version || found->table_count != said->table_count)
		return error_set(err,
		    "the database has schema version %d and %" PRIu32 " tables, and the manifest says %d and %" PRIu32,
		    found->schema_version, found->table_count, said->schema_version, said->table_count);
	for (uint32_t i = 0; i < said->table_count; i++)
		if (strcmp(said->tables[i].name, found->tables[i].name) != 0 ||
		    said->tables[i].rows != found->tables[i].rows)
			return error_set(err,
			    "the database has %" PRId64 " rows in %s, and the manifest says %" PRId64 " in %s",
			    found->tables[i].rows, found->tables[i].name, said->tables[i].rows, said->tables[i].name);
	return 0;
}
