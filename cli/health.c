/* hooksctl health: one GET to a running hooksd, for health checks in containers without curl or a shell. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/probe.h"
#include "cli/terminal_text.h"

const char command_health_usage[] =
    "usage: hooksctl health [PATH | http[s]://HOST[:PORT][/PATH]] [--option=value ...]\n\n"
    "Asks a running hooksd over HTTP and prints what it says. Without a URL: the one on HOST and PORT,\n"
    "by the loopback address where HOST means all addresses, over TLS if TLS_CERT_FILE is set; the\n"
    "certificate is not verified. Without a path:\n\n"
    "  /health  it answers; also while its store is unavailable and events are spooled or refused\n\n"
    "Others that make sense:\n\n"
    "  /livez   it answers; says nothing else\n"
    "  /readyz  it takes events and is not stopping\n\n"
    "Gives up after 3 seconds.\n\n"
    "Exit codes: 0 the answer is a 200; 1 it is not, or there is none; 64 wrong usage or configuration.\n";

/* Prints the body on one line, without control characters, because it goes to a terminal or a log. */
static void
print_body(FILE *out, const char *body)
{
	char *text = terminal_text(body);
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == ' ')
		len--;
	fprintf(out, "%.*s\n", (int)len, text);
	free(text);
}

int
command_health(const struct config *config, char *const *words)
{
	struct probe_answer answer;
	struct error err;
	char *url;
	int rc;

	if (words[0] != NULL && words[1] != NULL) {
		fputs(command_health_usage, stderr);
		return COMMAND_USAGE;
	}
	url = probe_url(config, words[0], &err);
	if (url == NULL) {
		fprintf(stderr, "hooksctl health: %s\n", err.text);
		return COMMAND_USAGE;
	}
	rc = probe_ask(url, &answer, &err);
	if (rc != 0) {
		fprintf(stderr, "hooksctl health: %s\n", err.text);
	} else if (answer.status == 200) {
		print_body(stdout, answer.body);
	} else {
		fprintf(stderr, "hooksctl health: %s answered %ld: ", url, answer.status);
		print_body(stderr, answer.body);
	}
	free(url);
	return rc == 0 && answer.status == 200 ? COMMAND_OK : COMMAND_FAILED;
}
