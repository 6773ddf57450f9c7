/* Runs a command: from the typed words to the printed reply. A list is read page by page, up to --limit. */
#include "cli/api.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/mem.h"
#include "cli/api_call.h"
#include "cli/api_client.h"
#include "cli/api_print.h"
#include "cli/api_stream.h"
#include "cli/commands.h"
#include "config/made_key.h"
#include "config/options.h"
#include "config/secrets.h"

static void
print_words(FILE *out, const char *path)
{
	for (const char *brace = path; (brace = strchr(brace, '{')) != NULL; brace++)
		fprintf(out, " %.*s", (int)strcspn(brace + 1, "}"), brace + 1);
}

/* Shows options of several verbs only with the first of these. */
static void
print_options(FILE *out, const struct api_group *group, const struct api_verb *verb)
{
	if (verb->options == NULL)
		return;
	for (const struct api_verb *first = group->verbs; first != verb; first++)
		if (first->options == verb->options) {
			fprintf(out, "    options of %s\n", first->name);
			return;
		}
	for (const struct api_option *option = verb->options; option->name != NULL; option++)
		fprintf(out, "    --%-20s %s\n", option->name, option->help);
}

void
api_print_usage(FILE *out, const struct api_group *group)
{
	fprintf(out, "usage: hooksctl %s VERB [WORD ...] [--option=value ...]\n\n%c%s.\n", group->name,
	    toupper((unsigned char)group->help[0]), group->help + 1);
	for (const struct api_verb *verb = group->verbs; verb->name != NULL; verb++) {
		fprintf(out, "\n  %s", verb->name);
		if (verb->second_name != NULL)
			fprintf(out, "|%s", verb->second_name);
		print_words(out, verb->path);
		if (verb->word != NULL)
			fprintf(out, " [%s]", verb->word);
		fprintf(out, ": %s\n", verb->help);
		print_options(out, group, verb);
	}
	fputs("\n"
	      "Each verb also takes:\n"
	      "    --json                 the reply as it came\n"
	      "    --file                 a file with the document, - for standard input\n"
	      "    --if-match             only if it is still of that version\n"
	      "    --hl-url               where hooksd is; also HL_URL [http://127.0.0.1:8080]\n"
	      "    --hl-api-key-file      a file with the key; also HL_API_KEY, HL_ADMIN_KEY\n"
	      "                           [DATA_DIR/api-key, which HL_MAKE_API_KEY makes]\n\n"
	      "Exit codes: 0 done, 1 the API refused or did not answer, 64 wrong usage.\n",
	    out);
}

/* Whether the verb concerns the whole installation, whatever its group. */
static bool
is_admins(const struct api_verb *verb)
{
	static const char begin[] = "/v1/admin/";

	return strncmp(verb->path, begin, sizeof begin - 1) == 0;
}

/* The file of the key that a hooksd with this DATA_DIR has made; NULL: none. */
static const char *
find_made_key(char path[PATH_MAX])
{
	const char *data_dir = getenv("DATA_DIR");
	struct error too_long;

	if (data_dir == NULL || *data_dir == '\0')
		data_dir = option_table[OPTION_DATA_DIR].initial;
	return made_key_path(data_dir, path, &too_long) == 0 && made_key_is_there(path) ? path : NULL;
}

/* Finds the URL and the key to use. key_text: room for a key from a file. */
static int
find_server(
    const struct api_call *call, struct api_server *server, char key_text[SECRET_MAX_BYTES + 1], struct error *err)
{
	static char url[sizeof "https://127.0.0.1:" + 5];
	const char *certificate = getenv("TLS_CERT_FILE");
	const char *admin = getenv("HL_ADMIN_KEY"), *key = getenv("HL_API_KEY"), *port = getenv("PORT");
	const char *file = call->key_file != NULL ? call->key_file : getenv("HL_API_KEY_FILE");
	char made[PATH_MAX];
	struct error reason;

	(void)snprintf(url, sizeof url, "http%s://127.0.0.1:%.5s",
	    certificate != NULL && *certificate != '\0' ? "s" : "", port != NULL && *port != '\0' ? port : "8080");
	server->url = call->url != NULL ? call->url : getenv("HL_URL");
	if (server->url == NULL || *server->url == '\0')
		server->url = url;
	if ((call->group->admin || is_admins(call->verb)) && admin != NULL && *admin != '\0')
		key = admin;
	if (key == NULL || *key == '\0')
		key = admin;
	if (call->key_file != NULL)
		key = NULL;
	if (call->key != NULL)
		key = call->key;
	if (file == NULL && server->url == url) /* never sent to another service */
		file = find_made_key(made);
	if ((key == NULL || *key == '\0') && file != NULL) {
		if (secret_read_file(file, key_text, &reason) != 0)
			return error_set(err, "the file of the key, %s, %s", file, reason.text);
		key = key_text;
	}
	if (key == NULL || *key == '\0')
		return error_set(err, "no key is known: set HL_API_KEY, or HL_API_KEY_FILE, or --hl-api-key-file");
	server->key = key;
	return 0;
}

/*
 * Prints a reply of 2xx; for a list, one page. first: the first page. *next: the cursor of the next page, or NULL; the
 * caller frees it. Returns an exit code.
 */
static int
print_reply(const struct api_call *call, const struct api_reply *reply, bool first, char **next)
{
	cJSON *tree = cJSON_Parse(reply->body);
	const cJSON *items = cJSON_GetObjectItemCaseSensitive(tree, "items");
	const cJSON *cursor = cJSON_GetObjectItemCaseSensitive(tree, "next_cursor");

	*next = cJSON_IsString(cursor) ? mem_strdup(cursor->valuestring) : NULL;
	if (tree == NULL && reply->len > 0) {
		fprintf(stderr, "hooksctl: the answer is %ld, and no JSON\n", reply->status);
		return COMMAND_FAILED;
	}
	if (call->json)
		printf("%s\n", reply->len > 0 ? reply->body : "{}");
	else if (call->verb->is_list && cJSON_IsArray(items))
		api_print_table(stdout, items, call->group->columns, first);
	else if (tree != NULL)
		api_print_object(stdout, tree);
	cJSON_Delete(tree);
	return COMMAND_OK;
}

static int
send_call(const struct api_call *call, const struct api_server *server, const char *cursor, char **next)
{
	char *encoded = cursor != NULL ? api_encode(cursor) : NULL;
	char *path =
	    mem_printf("%s%s%s%s%s", call->path, call->query[0] != '\0' || cursor != NULL ? "?" : "", call->query,
		cursor != NULL ? (call->query[0] != '\0' ? "&cursor=" : "cursor=") : "", cursor != NULL ? encoded : "");
	const struct api_request request = {.method = call->verb->method,
	    .path = path,
	    .body = call->body,
	    .if_match = call->if_match,
	    .idempotency_key = call->idempotency_key,
	    .slow = call->verb->slow};
	struct api_reply reply;
	struct error err;
	int code = COMMAND_FAILED;

	*next = NULL;
	if (api_send(server, &request, &reply, &err) != 0) {
		fprintf(stderr, "hooksctl: %s\n", err.text);
	} else {
		if (reply.status >= 200 && reply.status <= 299)
			code = print_reply(call, &reply, cursor == NULL, next);
		else
			api_print_refusal(stderr, &reply);
		free(reply.body);
	}
	free(path);
	free(encoded);
	return code;
}

/* Sends for all pages, or for one if --limit or --cursor is given. */
static int
send_pages(const struct api_call *call, const struct api_server *server)
{
	bool one_page =
	    !call->verb->is_list || strstr(call->query, "limit=") != NULL || strstr(call->query, "cursor=") != NULL;
	char *cursor = NULL;
	int code;

	do {
		char *next;

		code = send_call(call, server, cursor, &next);
		free(cursor);
		cursor = next;
	} while (code == COMMAND_OK && cursor != NULL && !one_page);
	free(cursor);
	return code;
}

/* A reply may show a key or a secret once only, so that a lost line must not look like success. */
static int
end_output(const struct api_group *group, int code)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return code;
	fprintf(stderr, "hooksctl %s: cannot write the reply to the standard output\n", group->name);
	return code == COMMAND_OK ? COMMAND_FAILED : code;
}

int
api_command(const struct api_group *group, int argc, char **argv)
{
	char key_text[SECRET_MAX_BYTES + 1] = "";
	struct api_server server;
	struct api_call call;
	struct error err;
	int code = COMMAND_USAGE;

	if (api_call_read(&call, group, argc, argv, &err) != 0) {
		fprintf(stderr, "hooksctl %s: %s\n", group->name, err.text);
		return COMMAND_USAGE;
	}
	if (call.help) {
		api_print_usage(stdout, group);
		code = COMMAND_OK;
	} else if (find_server(&call, &server, key_text, &err) != 0) {
		fprintf(stderr, "hooksctl %s: %s\n", group->name, err.text);
	} else {
		code = call.verb->is_stream ? api_stream(&call, &server) : send_pages(&call, &server);
	}
	explicit_bzero(key_text, sizeof key_text);
	api_call_free(&call);
	return end_output(group, code);
}
