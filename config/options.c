/* The option table and functions of single rows. config/option_value.c reads and writes values. */
#include "config/options.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/sizes.h"
#include "config/config.h"
#include "config/text_rules.h"
#include "config/units.h"
#include "config/retry_schedule.h"

const struct option option_table[OPTION_COUNT] = {
#define OPTION(section_, name_, ctype, member, ...)                                                                    \
	[OPTION_##name_] = {.name = #name_,                                                                            \
	    .section = SECTION_##section_,                                                                             \
	    .offset = offsetof(struct config, member),                                                                 \
	    .size = sizeof(ctype),                                                                                     \
	    __VA_ARGS__},
#include "config/option_list.def"
};

#define SECTION_WORD(id, word, heading) [SECTION_##id] = (word),
#define SECTION_HEADING(id, word, heading) [SECTION_##id] = (heading),

static const char *const section_words[] = {OPTION_SECTIONS(SECTION_WORD)};
static const char *const section_headings[] = {OPTION_SECTIONS(SECTION_HEADING)};

const char *
option_section_word(enum option_section section)
{
	assert(section < SECTION_COUNT);
	return section_words[section];
}

const char *
option_section_heading(enum option_section section)
{
	assert(section < SECTION_COUNT);
	return section_headings[section];
}

enum option_section
option_section_find(const char *word)
{
	enum option_section section = 0;

	while (section < SECTION_COUNT && strcasecmp(word, section_words[section]) != 0)
		section++;
	return section;
}

void
option_flag(const struct option *option, char out[OPTION_FLAG_MAX])
{
	size_t used = 0;

	assert(strlen(option->name) + sizeof "--" <= OPTION_FLAG_MAX);
	out[used++] = '-';
	out[used++] = '-';
	for (const char *c = option->name; *c != '\0'; c++)
		out[used++] = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
	out[used] = '\0';
}

bool
option_is_string(const struct option *option)
{
	return option->type <= TYPE_ORIGINS;
}

static bool
same_name(const char *name, const char *given, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = given[i] == '-' ? '_' : (char)toupper((unsigned char)given[i]);
		if (name[i] == '\0' || name[i] != c)
			return false;
	}
	return name[len] == '\0';
}

const struct option *
option_find(const char *name, size_t len)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (same_name(option_table[i].name, name, len))
			return &option_table[i];
	}
	return NULL;
}

void
option_allowed(const struct option *option, char *out, size_t size)
{
	const char *zero = option->or_zero ? "0 or " : "";
	char least[32], most[32];
	size_t used;

	switch (option->type) {
	case TYPE_DATABASE:
		(void)snprintf(out, size, "postgresql://user:password@host:port/name or \"host=... dbname=...\"");
		break;
	case TYPE_HOST:
		(void)snprintf(out, size, "an IPv4 or IPv6 address (without brackets) or a host name");
		break;
	case TYPE_HOSTS:
		(void)snprintf(out, size, "names and addresses, without ports, separated by commas");
		break;
	case TYPE_FILE:
	case TYPE_SECRET_FILE:
		(void)snprintf(out, size, "the path of a file, without control characters");
		break;
	case TYPE_DIRECTORY:
		(void)snprintf(out, size, "the path of a directory, without control characters");
		break;
	case TYPE_API_KEY:
		(void)snprintf(out, size, "%d to %d visible ASCII characters", API_KEY_LEAST, API_KEY_MOST);
		break;
	case TYPE_PASSWORD:
		(void)snprintf(out, size, "1 to %d visible ASCII characters", PASSWORD_MOST);
		break;
	case TYPE_TENANT:
		(void)snprintf(out, size, "1 to %d of A-Z a-z 0-9 _ . -", TENANT_ID_MAX);
		break;
	case TYPE_USER:
		(void)snprintf(out, size, "a user or user:group, by names or numbers");
		break;
	case TYPE_MASTER_KEYS:
		(void)snprintf(out, size, "%s32 bytes in base64 or hex%s", option->most > 1 ? "keys of " : "",
		    option->most > 1 ? ", separated by commas" : "");
		break;
	case TYPE_NETWORKS:
		(void)snprintf(
		    out, size, "loopback, private, or networks like 10.1.0.0/16 and fd00::/8, separated by commas");
		break;
	case TYPE_WAITS:
		(void)snprintf(out, size, "waits of 1s to 168h, like 5s,30s,5m, at most %d", RETRY_WAITS_MAX);
		break;
	case TYPE_ORIGIN:
		(void)snprintf(out, size, "an origin like https://hooks.example");
		break;
	case TYPE_ORIGINS:
		(void)snprintf(out, size, "* or origins like https://app.example, separated by commas");
		break;
	case TYPE_CHOICE:
		used = (size_t)snprintf(out, size, "one of");
		for (size_t i = 0; option->choices[i] != NULL && used < size; i++)
			used +=
			    (size_t)snprintf(out + used, size - used, "%s %s", i > 0 ? "," : "", option->choices[i]);
		break;
	case TYPE_BOOL:
		(void)snprintf(out, size, "true or false, also yes, no, on, off, 1, 0");
		break;
	case TYPE_NUMBER:
		(void)snprintf(
		    out, size, "%sa whole number from %" PRIu64 " to %" PRIu64, zero, option->least, option->most);
		break;
	case TYPE_SIZE:
		units_format_size(option->least, least, sizeof least);
		units_format_size(option->most, most, sizeof most);
		(void)snprintf(
		    out, size, "%sa size from %s to %s, in bytes or like 512K, 64MiB, 1G", zero, least, most);
		break;
	case TYPE_MILLISECONDS:
		zero = option->or_zero ? "0, off or " : "";
		units_format_duration(option->least, 1, least, sizeof least);
		units_format_duration(option->most, 1, most, sizeof most);
		(void)snprintf(
		    out, size, "%sa duration from %s to %s, in milliseconds or like 250ms, 10s, 2m", zero, least, most);
		break;
	case TYPE_SECONDS:
		zero = option->or_zero ? "0, off or " : "";
		units_format_duration(option->least, 1000, least, sizeof least);
		units_format_duration(option->most, 1000, most, sizeof most);
		(void)snprintf(out, size, "%sa duration from %s to %s of whole seconds, in seconds or like 30s, 2m, 1h",
		    zero, least, most);
		break;
	}
}

const char *
option_default_text(const struct option *option)
{
	if (option->initial_text != NULL)
		return option->initial_text;
	return option->initial != NULL ? option->initial : "";
}

int
option_refuse(const struct option *option, const char *value, struct error *err, const char *fmt, ...)
{
	char flag[OPTION_FLAG_MAX];
	char rule[320];
	va_list ap;

	option_flag(option, flag);
	va_start(ap, fmt);
	(void)vsnprintf(rule, sizeof rule, fmt, ap);
	va_end(ap);
	if (value == NULL || option->secret)
		return error_set(err, "%s: %s (flag %s or environment %s)", option->name, rule, flag, option->name);
	return error_set(err, "%s=%.80s%s: %s (flag %s or environment %s)", option->name, value,
	    strlen(value) > 80 ? "..." : "", rule, flag, option->name);
}
