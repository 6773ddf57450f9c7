/* hooksctl store: makes and restores snapshots of the webhooks' store, and moves it. */
#include <stdio.h>
#include <string.h>

#include "cli/command_words.h"
#include "cli/commands.h"
#include "cli/store_migrate.h"
#include "cli/store_restore.h"
#include "cli/store_snapshot.h"

const char command_store_usage[] =
    "usage: hooksctl store snapshot create --dest DIRECTORY [--option=value ...]\n"
    "       hooksctl store restore --from DIRECTORY [--validate-only] [--option=value ...]\n"
    "       hooksctl store migrate --to URL|PATH [--from URL|PATH] [--dry-run] [--json]\n"
    "                              [--option=value ...]\n"
    "       hooksctl store reopen [--option=value ...]\n"
    "       hooksctl store compact\n\n"
    "snapshot and restore are for the embedded store, HL_DATA_PATH. For PostgreSQL: docs/backup.md.\n\n"
    "  snapshot create  copies the store, as it is at one moment, into a new or empty directory;\n"
    "                   hooksd may run. The copy holds secrets, and digests of API keys: only its\n"
    "                   owner can read it\n"
    "  restore          puts a snapshot in the place of the store. Stop hooksd, and run it as hooksd's\n"
    "                   user. The snapshot is checked before anything changes, and the store that was\n"
    "                   there is kept beside it. If jobs wait in the snapshot, hooksd starts with\n"
    "                   deliveries paused: `hooksctl deliveries resume` goes on. With --validate-only\n"
    "                   it only checks the snapshot. Also: `store snapshot restore`\n"
    "  compact          asks a running hooksd (HL_URL, HL_ADMIN_KEY) to remove now what is old, also\n"
    "                   over PostgreSQL; the same as `hooksctl admin compact`\n\n"
    "migrate moves everything of the webhooks from the embedded store to PostgreSQL, or back: tenants,\n"
    "keys, endpoints, subscriptions, events, jobs that wait, attempts, dead letters, the audit log, all of\n"
    "it. Stop every hooksd first. Without --from the old store is the one that the options name.\n\n"
    "  --to       the new store, which is empty or not there yet: the URL of a database, or the path\n"
    "             of a file. Its schema is made or brought to this version\n"
    "  --from     the old store, in the same words. Its rows stay as they are\n"
    "  --dry-run  only counts what there is to move, and looks whether a hooksd runs on the old store\n"
    "  --json     prints what was moved as JSON\n\n"
    "If it is interrupted, run it again: it goes on. In the end it reads both stores and compares number\n"
    "and checksum of the rows of each table; hooksd does not begin on a new store before that. Then start\n"
    "hooksd on the new store, and send what waits by `hooksctl deliveries resume`. hooksd does not start on\n"
    "the old store any more: `hooksctl store reopen`, with the options that name it, takes that back.\n"
    "Deliveries are paused there then, since a resume sends what the new store may have sent.\n\n"
    "Exit codes: 0 done; 1 failed, or the snapshot is damaged; 64 wrong usage or configuration.\n";

const char *const command_store_flags[] = {
    "--to=", "--from=", "--dest=", "--dry-run", "--json", "--validate-only", NULL};

/* Whether the words before the flags are these; the second may be NULL. */
static bool
are(char *const *words, const char *first, const char *second)
{
	int count = command_words_count(words);

	return count == (second != NULL ? 2 : 1) && strcmp(words[0], first) == 0 &&
	       (second == NULL || strcmp(words[1], second) == 0);
}

/* Whether all flags are among these two; the second may be NULL. */
static bool
has_only(char *const *words, const char *first, const char *second)
{
	for (; *words != NULL; words++) {
		size_t len = strcspn(*words, "=");
		bool known = (len == strlen(first) && strncmp(*words, first, len) == 0) ||
			     (second != NULL && strcmp(*words, second) == 0);

		if ((*words)[0] == '-' && !known)
			return false;
	}
	return true;
}

static int
refuse(void)
{
	fputs(command_store_usage, stderr);
	return COMMAND_USAGE;
}

/* Reads the flag's value, for a command on the embedded store. NULL: reports what is wrong. */
static const char *
read_directory(const struct config *config, char *const *words, const char *flag, const char *second)
{
	const char *directory = NULL;
	struct error err;

	if (!has_only(words, flag, second) || command_flag(words, flag, &directory, &err) != 0 || directory == NULL) {
		(void)refuse();
		return NULL;
	}
	if (config->hl_store != HL_STORE_POSTGRES)
		return directory;
	fprintf(stderr, "hooksctl store: webhooks are in PostgreSQL (HL_POSTGRES_URL): use pg_dump, as docs/backup.md "
			"shows. For the embedded store set HL_STORE_BACKEND=embedded\n");
	return NULL;
}

int
command_store(const struct config *config, char *const *words)
{
	const char *directory;

	if (are(words, "migrate", NULL))
		return store_migrate_command(config, words);
	if (are(words, "reopen", NULL) && words[1] == NULL)
		return store_reopen_command(config);
	if (are(words, "snapshot", "create")) {
		directory = read_directory(config, words, "--dest", NULL);
		return directory != NULL ? store_snapshot_create(config, directory) : COMMAND_USAGE;
	}
	if (are(words, "restore", NULL) || are(words, "snapshot", "restore")) {
		directory = read_directory(config, words, "--from", "--validate-only");
		return directory != NULL ? store_restore(config, directory, command_has_flag(words, "--validate-only"))
					 : COMMAND_USAGE;
	}
	return refuse();
}
