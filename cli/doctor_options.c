/* Finds misspelt options among environment variables: they have no effect, and nothing else reports them. */
#include "cli/doctor.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/nearest.h"
#include "config/old_names.h"
#include "config/options.h"

/* Without the prefix only long names are compared: a short one is similar to many. */
#define COMPARED_LENGTH 8
#define MISSPELT_EDITS 2

#define NO_EFFECT "correct its name, or remove it: it has no effect"

/* Variables that hooksctl reads besides options. */
static const char *const own_names[] = {"HL_URL", NULL};

static bool
is_in(const char *const *names, const char *name, size_t len)
{
	for (; *names != NULL; names++)
		if (strlen(*names) == len && memcmp(*names, name, len) == 0)
			return true;
	return false;
}

static bool
names_option(const char *known, const char *name, size_t len)
{
	return known != NULL && strlen(known) == len && memcmp(known, name, len) == 0;
}

/* The option with that name, or NULL. */
static const struct option *
find(const char *name, size_t len)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (names_option(option_table[i].name, name, len) ||
		    names_option(option_table[i].second_name, name, len))
			return &option_table[i];
	return NULL;
}

/* The option that differs from the name by at most that many edits, or NULL. */
static const struct option *
find_nearest(const char *name, size_t len, size_t edits)
{
	const struct option *nearest = NULL;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		size_t distance = nearest_distance(option_table[i].name, name, len);

		if (distance <= edits) {
			nearest = &option_table[i];
			edits = distance > 0 ? distance - 1 : 0;
		}
	}
	return nearest;
}

/* Reports a variable that is no option but looks like one. Returns whether it does. */
static bool
suspect(const struct doctor *doctor, const char *name, size_t len)
{
	bool ours = strncmp(name, "HL_", 3) == 0;

	if (len > NEAREST_NAME_MAX || (!ours && len < COMPARED_LENGTH))
		return false;
	const struct option *meant = find_nearest(name, len, ours ? len / 3 : MISSPELT_EDITS);
	if (meant != NULL)
		doctor_warn(doctor->out, CHECK_OPTIONS_NAMES, NO_EFFECT, "%.*s is no option: %s is meant, perhaps",
		    (int)len, name, meant->name);
	else if (ours)
		doctor_warn(doctor->out, CHECK_OPTIONS_NAMES, NO_EFFECT, "%.*s is no option", (int)len, name);
	return meant != NULL || ours;
}

void
doctor_options(const struct doctor *doctor)
{
	unsigned known = 0, suspects = 0, old = 0;

	for (char *const *next = environ; *next != NULL; next++) {
		const char *name = *next;
		size_t len = strcspn(name, "=");

		if (find(name, len) != NULL) {
			known++;
		} else if (is_in(old_names, name, len)) {
			old++;
			doctor_warn(doctor->out, CHECK_OPTIONS_OLD, "remove it",
			    "%.*s is an option of the original service, and has no effect here", (int)len, name);
		} else if (!is_in(own_names, name, len)) {
			suspects += suspect(doctor, name, len);
		}
	}
	if (suspects == 0)
		doctor_ok(
		    doctor->out, CHECK_OPTIONS_NAMES, "%u options in the environment, and none is misspelt", known);
	if (old == 0)
		doctor_ok(doctor->out, CHECK_OPTIONS_OLD, "none");
}
