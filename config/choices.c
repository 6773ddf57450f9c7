/* The names of choices. */
#include "config/choices.h"

#include <stddef.h>

#define CHOICE_NAME(value, name) [value] = (name),

const char *const storage_names[] = {STORAGE_CHOICES(CHOICE_NAME) NULL};
const char *const hl_store_names[] = {HL_STORE_CHOICES(CHOICE_NAME) NULL};
const char *const ack_names[] = {ACK_CHOICES(CHOICE_NAME) NULL};
const char *const unknown_names[] = {UNKNOWN_CHOICES(CHOICE_NAME) NULL};

const char *const storage_aliases[] = {"postgresql", "postgres", "sqlite3", "sqlite", NULL};
/* "c" is the word of the original service. */
const char *const hl_store_aliases[] = {"postgresql", "postgres", "sqlite", "embedded", "c", "embedded", NULL};

/* Level names of syslog, Python, Java and others. */
const char *const log_level_aliases[] = {
    "warn", "warning", "err", "error", "critical", "error", "fatal", "error", "notice", "info", "trace", "debug", NULL};

const char *
storage_name(uint32_t storage)
{
	return storage < sizeof storage_names / sizeof *storage_names - 1 ? storage_names[storage] : "unknown";
}
