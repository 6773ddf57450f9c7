/*
 * Findings quote names, paths and servers' messages, which may contain anything. The output is valid text without
 * control characters.
 */
#include "cli/doctor_report.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/files.h"
#include "base/mem.h"
#include "cli/terminal_text.h"

_Static_assert(sizeof(struct doctor_finding) <= PIPE_BUF, "a finding is written in one step");

#define CHECK(symbol, name) [CHECK_##symbol] = name,
static const char *const check_names[CHECKS] = {
#include "cli/doctor_list.def"
};

static const struct {
	const char *word, *colour;
} statuses[] = {
    [DOCTOR_OK] = {"ok", "\033[32m"},
    [DOCTOR_WARN] = {"warn", "\033[33m"},
    [DOCTOR_FAIL] = {"fail", "\033[31m"},
};

__attribute__((format(printf, 5, 0))) static void
say(int out, enum doctor_check check, enum doctor_status status, const char *fix, const char *found,
    va_list values) /* six: a finding, and where it goes */
{
	struct doctor_finding finding = {.check = check, .status = status};

	(void)vsnprintf(finding.found, sizeof finding.found, found, values);
	(void)snprintf(finding.fix, sizeof finding.fix, "%s", fix);
	(void)files_write(out, &finding, sizeof finding);
}

void
doctor_ok(int out, enum doctor_check check, const char *found, ...)
{
	va_list values;

	va_start(values, found);
	say(out, check, DOCTOR_OK, "", found, values);
	va_end(values);
}

void
doctor_warn(int out, enum doctor_check check, const char *fix, const char *found, ...)
{
	va_list values;

	va_start(values, found);
	say(out, check, DOCTOR_WARN, fix, found, values);
	va_end(values);
}

void
doctor_fail(int out, enum doctor_check check, const char *fix, const char *found, ...)
{
	va_list values;

	va_start(values, found);
	say(out, check, DOCTOR_FAIL, fix, found, values);
	va_end(values);
}

static size_t
group_length(const struct doctor_finding *finding)
{
	return strcspn(check_names[finding->check], ".");
}

static bool
same_group(const struct doctor_finding *one, const struct doctor_finding *other)
{
	size_t len = group_length(one);

	return len == group_length(other) && memcmp(check_names[one->check], check_names[other->check], len) == 0;
}

void
doctor_print_text(FILE *out, const struct doctor_finding *findings, size_t count, bool colour)
{
	int width = 0;

	for (size_t i = 0; i < count; i++) {
		int len = (int)strlen(check_names[findings[i].check]);

		width = len > width ? len : width;
	}
	for (size_t i = 0; i < count; i++) {
		const struct doctor_finding *finding = &findings[i];
		char *found = terminal_text(finding->found), *fix = terminal_text(finding->fix);

		if (i > 0 && !same_group(finding, finding - 1))
			fputc('\n', out);
		fprintf(out, "%s%-4s%s  %-*s  %s%s%s\n", colour ? statuses[finding->status].colour : "",
		    statuses[finding->status].word, colour ? "\033[0m" : "", width, check_names[finding->check], found,
		    fix[0] != '\0' ? " -> " : "", fix);
		free(found);
		free(fix);
	}
}

static void
add_text(cJSON *object, const char *name, const char *text)
{
	char *safe = terminal_text(text);

	if (cJSON_AddStringToObject(object, name, safe) == NULL)
		mem_none(0);
	free(safe);
}

void
doctor_print_json(FILE *out, const struct doctor_finding *findings, size_t count)
{
	cJSON *array = cJSON_CreateArray();

	for (size_t i = 0; i < count; i++) {
		cJSON *object = cJSON_CreateObject();

		if (array == NULL || object == NULL)
			mem_none(0);
		add_text(object, "check", check_names[findings[i].check]);
		add_text(object, "status", statuses[findings[i].status].word);
		add_text(object, "found", findings[i].found);
		add_text(object, "fix", findings[i].fix);
		(void)cJSON_AddItemToArray(array, object);
	}
	char *text = cJSON_Print(array);
	if (text == NULL)
		mem_none(0);
	fprintf(out, "%s\n", text);
	free(text);
	cJSON_Delete(array);
}
