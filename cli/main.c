/*
 * hooksctl: inspects a running hooksd, maintains its databases, and calls its API. Except for calls of the API it takes
 * the same options and environment as hooksd.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/streams.h"
#include "base/version.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "config/config.h"
#include "config/load.h"
#include "shm/ring_size.h"
#include "store/webhooks_store.h"

static const struct command {
	const char *name;
	int (*run)(const struct config *config, char *const *words);
	const char *help;
	const char *usage; /* usage of its words; NULL: it takes none */
	const char *verbs; /* its possible first words, for completion; NULL: none */
	const char *const *flags; /* its own, NULL-terminated: "--dest=" takes a value, "--json" does not */
} commands[] = {
    {"status", command_status, "processes, lanes and counters of the hooksd with this PORT or RING_PATH"},
    {"health", command_health, "ask a running hooksd over HTTP whether it serves; for health checks",
	command_health_usage},
    {"migrate", command_migrate, "bring the database's schema to this version; safe to run at any time"},
    {"doctor", command_doctor, "look at all that hooksd needs, and say what is wrong and what to do",
	command_doctor_usage, NULL, command_doctor_flags},
    {"deadletter", command_deadletter, "list, show, retry and export the events that PostgreSQL refused",
	command_deadletter_usage, "list show export retry"},
    {"spool", command_spool, "list, verify, export and store the events that wait in DATA_DIR", command_spool_usage,
	"list verify export replay"},
    {"ring", command_ring, "print what stands in the ring of a hooksd or in a copy of it, and make copies",
	command_ring_usage, "dump save", command_ring_flags},
    {"import", command_import, "store hook events of another store: JSONL, SQLite or PostgreSQL", command_import_usage,
	NULL, command_transfer_flags},
    {"export", command_export, "copy hook events to another store, or print them as JSONL", command_export_usage, NULL,
	command_transfer_flags},
    {"store", command_store, "snapshots of the webhooks' store, and moving it to another database", command_store_usage,
	"snapshot restore migrate reopen compact", command_store_flags},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void
print_help(FILE *out)
{
	fprintf(out, "usage: hooksctl COMMAND [WORD ...] [--option=value ...]\n\nCommands:\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "\nCommands that speak to the API of a running hooksd (HL_URL, HL_API_KEY):\n");
	for (size_t i = 0; i < api_group_count; i++)
		fprintf(out, "  %-11s %s\n", api_groups[i].name, api_groups[i].help);
	fprintf(out,
	    "\n  completion  print a script by which bash or zsh completes all this\n"
	    "\nOptions are those of hooksd, as flags or environment variables: `hooksd --help=all` lists them.\n"
	    "Exit codes: 0 done, 1 failed, 2 warnings of doctor, 64 wrong usage or configuration.\n");
}

/* The command's own flag that matches the argument, or NULL. */
static const char *
find_own_flag(const struct command *command, const char *argument)
{
	for (const char *const *flag = command->flags; flag != NULL && *flag != NULL; flag++) {
		size_t len = strcspn(*flag, "=");

		if (strncmp(argument, *flag, len) == 0 &&
		    (argument[len] == '\0' || (argument[len] == '=' && (*flag)[len] == '=')))
			return *flag;
	}
	return NULL;
}

/*
 * Moves the words that the command reads itself from argv to words: those before the first flag, and its own flags with
 * their values. argv[0] is the command's name. Returns the number of arguments left in argv. A word behind a flag stays
 * there, and config_load() refuses it.
 */
static int
take_words(const struct command *command, int argc, char **argv, char **words)
{
	bool before_flags = command->usage != NULL;
	int left = 1;

	for (int i = 1; i < argc; i++) {
		const char *own = find_own_flag(command, argv[i]);

		before_flags = before_flags && argv[i][0] != '-';
		if (own != NULL || before_flags)
			*words++ = argv[i];
		else
			argv[left++] = argv[i];
		if (own != NULL && strchr(own, '=') != NULL && strchr(argv[i], '=') == NULL && i + 1 < argc)
			*words++ = argv[++i];
	}
	return left;
}

/* argv[0] is the command's name, followed by its words and flags. */
static int
run(const struct command *command, int argc, char **argv)
{
	char **words = mem_new((size_t)argc, sizeof *words);
	struct config config = {0};
	struct error err;
	int code;

	int request = config_load(&config, take_words(command, argc, argv, words), argv, ring_need, &err);
	if (request >= 0 &&
	    (store_check_options(&config, &err) != 0 || webhooks_store_check_options(&config, &err) != 0)) {
		config_free(&config);
		request = -1;
	}
	if (request < 0) {
		fprintf(stderr, "hooksctl %s: %s\n", command->name, err.text);
		free(words);
		return COMMAND_USAGE;
	}
	if (request == CONFIG_HELP) {
		if (command->usage != NULL)
			fputs(command->usage, stdout);
		else
			print_help(stdout);
		code = COMMAND_OK;
	} else {
		log_init("hooksctl", config.log_level, config.log_format);
		code = command->run(&config, words);
	}
	config_free(&config);
	free(words);
	return code;
}

static int
complete(const char *shell)
{
	bool help = strcmp(shell, "--help") == 0;

	if (help || (strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0)) {
		fprintf(help ? stdout : stderr,
		    "usage: hooksctl completion bash|zsh\n\n"
		    "Prints a script that completes commands, verbs and options. For this shell:\n\n"
		    "  source <(hooksctl completion bash)\n");
		return help ? COMMAND_OK : COMMAND_USAGE;
	}
	completion_begin(stdout, strcmp(shell, "zsh") == 0);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		completion_add_command(stdout, commands[i].name, commands[i].verbs, commands[i].flags);
	completion_end(stdout);
	return COMMAND_OK;
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct api_group *group = api_group_find(name);
	struct error err;

	if (streams_hold(&err) != 0) {
		fprintf(stderr, "hooksctl: %s\n", err.text);
		return COMMAND_FAILED;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		printf("hooksctl %s\n", HOOKS_VERSION);
		return COMMAND_OK;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		print_help(stdout);
		return COMMAND_OK;
	}
	if (strcmp(name, "store") == 0 && argc > 2 && strcmp(argv[2], "compact") == 0)
		group = api_group_find("admin"); /* `store compact` asks the running service */
	if (group != NULL)
		return api_command(group, argc - 2, argv + 2);
	if (strcmp(name, "completion") == 0)
		return complete(argc == 3 ? argv[2] : "");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i].name) == 0)
			return run(&commands[i], argc - 1, argv + 1);
	if (name[0] != '\0')
		fprintf(stderr, "hooksctl: there is no command '%s'\n", name);
	print_help(stderr);
	return COMMAND_USAGE;
}
