/* hooksctl store: what people do with the webhooks' store while hooksd is stopped. */
#include <stdio.h>
#include <string.h>

#include "cli/command_words.h"
#include "cli/commands.h"
#include "cli/store_migrate.h"

const char command_store_usage[] =
    "usage: hooksctl store migrate --to URL|PATH [--from URL|PATH] [--dry-run] [--json]\n"
    "                              [--option=value ...]\n\n"
    "Moves everything of the webhooks from the embedded store to PostgreSQL, or back: tenants, keys,\n"
    "endpoints, subscriptions, events, jobs that wait, attempts, dead letters, the audit log, all of it.\n"
    "Stop every hooksd first. Without --from the old store is the one that the options name.\n\n"
    "  --to       the new store, which is empty or not there yet: the URL of a database, or the path\n"
    "             of a file. Its schema is made or brought to this version\n"
    "  --from     the old store, in the same words. It stays as it is\n"
    "  --dry-run  only counts what there is to move, and looks whether a hooksd runs on the old store\n"
    "  --json     prints what was moved as JSON\n\n"
    "If it is interrupted, run it again: it goes on. In the end it reads both stores and compares number\n"
    "and checksum of the rows of each table; hooksd does not begin on a new store before that. Then start\n"
    "hooksd on the new store, and send what waits by `hooksctl deliveries resume`.\n\n"
    "Exit codes: 0 done; 1 failed; 64 wrong usage or configuration.\n";

const char *const command_store_flags[] = {"--to=", "--from=", "--dry-run", "--json", NULL};

int
command_store(const struct config *config, char *const *words)
{
	if (command_words_count(words) == 1 && strcmp(words[0], "migrate") == 0)
		return store_migrate_command(config, words);
	fputs(command_store_usage, stderr);
	return COMMAND_USAGE;
}
