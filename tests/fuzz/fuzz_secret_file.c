/*
 * Arbitrary files that hold secrets: API keys, master keys, URLs of databases. For every input:
 *
 *   - the secret is the file's contents without one newline at its end, and has no NUL;
 *   - a key that is accepted can be sent in a header, and the printed configuration shows nothing of it;
 *   - a URL that is accepted is accepted again as it was read, and the shown form has no password.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "config/database_url.h"
#include "config/master_keys.h"
#include "config/option_value.h"
#include "config/options.h"
#include "config/secrets.h"
#include "config/text_rules.h"
#include "tests/fuzz/target.h"

static int file = -1;
static char path[64];

static void
check_printed(const struct option *option, const struct config *config)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert(out != NULL);
	option_print(out, option, config);
	assert(fclose(out) == 0 && strcmp(text, "***") == 0);
	free(text);
}

/* The password is between the two texts. */
static void
check_masked(const char *before, const char *password, const char *behind)
{
	char *url = NULL, *shown = NULL, *masked;

	assert(asprintf(&url, "%s%s%s", before, password, behind) > 0);
	assert(asprintf(&shown, "%s***%s", before, behind) > 0);
	masked = database_url_masked(url);
	assert(strcmp(masked, shown) == 0);
	free(masked);
	free(shown);
	free(url);
}

static void
take_url(const char *value)
{
	char *url = database_url_read(value), *again, *masked;

	/* A password with both has no certain end. */
	if (strchr(value, '@') == NULL || strchr(value, '?') == NULL)
		check_masked("postgresql://user:", value, "@host/name?sslmode=require");
	if (strpbrk(value, "&#") == NULL)
		check_masked("postgresql://user@host/name?password=", value, "&port=1");
	if (url == NULL)
		return;
	again = database_url_read(url);
	assert(again != NULL && strcmp(url, again) == 0);
	masked = database_url_masked(url);
	assert(masked != NULL && strlen(masked) <= 4 * strlen(url) + 4);
	free(masked);
	free(again);
	free(url);
}

static void
take(const char *value)
{
	struct config config = {0};
	struct error err;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &option_table[i];

		if (!option->secret || option_set(option, value, &config, &err) != 0)
			continue;
		if (option->type == TYPE_API_KEY)
			assert(text_is_api_key(value) && strpbrk(value, " \t\r\n") == NULL);
		if (option->type == TYPE_MASTER_KEYS)
			assert(master_keys_valid(value, MASTER_KEYS_MAX));
		if (option->type == TYPE_PASSWORD)
			assert(text_is_password(value) && strpbrk(value, " \t\r\n") == NULL);
		if (option->type == TYPE_API_KEY || option->type == TYPE_PASSWORD || option->type == TYPE_MASTER_KEYS)
			check_printed(option, &config);
		option_clear(option, &config);
	}
	take_url(value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char value[SECRET_MAX_BYTES + 1];
	struct error err = {.text = ""};
	size_t len;

	if (file < 0) {
		file = memfd_create("secret", MFD_CLOEXEC);
		(void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	}
	assert(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
	if (secret_read_file(path, value, &err) != 0) {
		assert(err.text[0] != '\0');
		return 0;
	}
	len = strlen(value);
	assert(len > 0 && len <= SECRET_MAX_BYTES && memcmp(value, data, len) == 0);
	assert(len == size || (len + 1 == size && data[len] == '\n'));
	take(value);
	return 0;
}
