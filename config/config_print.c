/* The option table for people: --help, --print-config and the table of the README. */
#include <string.h>

#include "config/config.h"
#include "config/options.h"

void
config_print_help(FILE *out, const char *program)
{
	(void)fprintf(out,
	    "Usage: %s [--option=value ...]\n"
	    "Takes events of coding agents over HTTP and stores them in PostgreSQL or JSONL.\n"
	    "\n"
	    "Each option is also an environment variable: --max-body-bytes=4M or\n"
	    "MAX_BODY_BYTES=4M. Flags win; an empty value means the default. Sizes are bytes\n"
	    "or end in K, M, G, T, also written MiB, Mi or MB: all are powers of 1024.\n"
	    "\n",
	    program);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &option_table[i];
		const char *initial = option_default_text(option);
		char flag[OPTION_FLAG_MAX];

		option_flag(option, flag);
		(void)fprintf(out, "  %-23s  %s", flag, option->help);
		if (*initial != '\0')
			(void)fprintf(out, " [%s]", initial);
		(void)fputc('\n', out);
	}
	(void)fputs("\n"
		    "  --check-config           check the configuration and exit\n"
		    "  --print-config           print the configuration, passwords masked, and exit\n"
		    "  -V, --version            print the version and exit\n"
		    "  -h, --help               print this and exit\n",
	    out);
}

void
config_print(FILE *out, const struct config *config)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		(void)fprintf(out, "%s=", option_table[i].name);
		option_print(out, &option_table[i], config);
		(void)fputc('\n', out);
	}
}

void
config_print_markdown(FILE *out)
{
	(void)fputs("| option | default | allowed | meaning |\n|---|---|---|---|\n", out);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &option_table[i];
		const char *initial = option_default_text(option);
		const char *tick =
		    option->initial != NULL ? "`" : ""; /* what could be typed, as opposed to described */
		char allowed[256];

		option_allowed(option, allowed, sizeof allowed);
		(void)fprintf(out, "| `%s` | %s%s%s | %s%s%s | ", option->name, tick, initial, tick, allowed,
		    option->unit != NULL ? ", in " : "", option->unit != NULL ? option->unit : "");
		for (const char *c = option->help; *c != '\0'; c++)
			(void)fprintf(out, *c == '|' ? "\\%c" : "%c", *c); /* a bar would end the cell */
		(void)fputs(" |\n", out);
	}
}
