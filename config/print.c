/* The option table for people: --help, --print-config and the tables of docs/configuration.md. */
#include "config/print.h"

#include "config/option_value.h"
#include "config/options.h"

static void
print_help_line(FILE *out, const struct option *option)
{
	const char *initial = option_default_text(option);
	char flag[OPTION_FLAG_MAX];

	option_flag(option, flag);
	(void)fprintf(out, *initial != '\0' ? "  %-25s %s [%s]\n" : "  %-25s %s\n", flag, option->help, initial);
}

static void
print_help_section(FILE *out, enum option_section section)
{
	(void)fprintf(out, "\n%s (--help=%s)\n", option_section_heading(section), option_section_word(section));
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_table[i].section == section)
			print_help_line(out, &option_table[i]);
}

static void
print_common_help(FILE *out)
{
	(void)fputs("Each option is also an environment variable (PORT=8080); flags win.\n\n", out);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_table[i].common)
			print_help_line(out, &option_table[i]);
	(void)fputs("\n"
		    "  --check-config            check the configuration and exit\n"
		    "  --print-config            print the configuration, secrets masked, and exit\n"
		    "  -V, --version             print the version and exit\n"
		    "  -h, --help                print this and exit; --help=all: all options\n",
	    out);
}

void
config_print_help(FILE *out, const char *program, const char *summary, const char *topic)
{
	(void)fprintf(out, "Usage: %s [--option=value ...]\n%s\n", program, summary);
	if (topic == NULL) {
		print_common_help(out);
		return;
	}
	(void)fputs("\n"
		    "Each option is also an environment variable: --max-body-bytes=4M or\n"
		    "MAX_BODY_BYTES=4M. Flags win; an empty value means the default. Sizes are bytes\n"
		    "or end in K, M, G, T, also written MiB, Mi or MB: all are powers of 1024.\n"
		    "Durations end in ms, s, m, h; plain numbers are in the unit of the option name.\n",
	    out);
	for (enum option_section section = 0; section < SECTION_COUNT; section++)
		if (option_section_find(topic) == section || option_section_find(topic) == SECTION_COUNT)
			print_help_section(out, section);
}

/* Whether the option's value was read from a secret file. Then only the file is printed: config_load() refuses both. */
static bool
is_from_file(enum option_id id, const struct config *config)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_table[i].type == TYPE_SECRET_FILE && option_table[i].holds == id)
			return option_text(&option_table[i], config) != NULL;
	return false;
}

void
config_print(FILE *out, const struct config *config)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		(void)fprintf(out, "%s=", option_table[i].name);
		if (!is_from_file(i, config))
			option_print(out, &option_table[i], config);
		(void)fputc('\n', out);
	}
}

static void
print_markdown_row(FILE *out, const struct option *option)
{
	const char *initial = option_default_text(option);
	const char *tick = option->initial != NULL ? "`" : ""; /* for a literal default, not a description */
	char allowed[256];

	option_allowed(option, allowed, sizeof allowed);
	(void)fprintf(out, "| `%s` | %s%s%s | %s%s%s | ", option->name, tick, initial, tick, allowed,
	    option->unit != NULL ? ", in " : "", option->unit != NULL ? option->unit : "");
	for (const char *c = option->help; *c != '\0'; c++)
		(void)fprintf(out, *c == '|' ? "\\%c" : "%c", *c); /* an unescaped bar would end the cell */
	(void)fputs(" |\n", out);
}

void
config_print_markdown(FILE *out)
{
	for (enum option_section section = 0; section < SECTION_COUNT; section++) {
		(void)fprintf(out, "%s**%s**\n\n| option | default | allowed | meaning |\n|---|---|---|---|\n",
		    section > 0 ? "\n" : "", option_section_heading(section));
		for (size_t i = 0; i < OPTION_COUNT; i++)
			if (option_table[i].section == section)
				print_markdown_row(out, &option_table[i]);
	}
}
