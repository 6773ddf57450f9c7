/* The choices of options of type TYPE_CHOICE: an enum for each option, and the words of its values. */
#ifndef CONFIG_CHOICES_H
#define CONFIG_CHOICES_H

#include <stdint.h>

#define CHOICE_VALUE(value, name) value,

/* STORAGE_TYPE: where events are stored. */
#define STORAGE_CHOICES(X)                                                                                             \
	X(STORAGE_AUTO, "auto")                                                                                        \
	X(STORAGE_POSTGRES, "postgres")                                                                                \
	X(STORAGE_JSONL, "jsonl")                                                                                      \
	X(STORAGE_SQLITE, "sqlite")                                                                                    \
	X(STORAGE_NULL, "null")
enum storage { STORAGE_CHOICES(CHOICE_VALUE) };

/* HL_STORE_BACKEND: where webhooks are kept. */
#define HL_STORE_CHOICES(X)                                                                                            \
	X(HL_STORE_AUTO, "auto")                                                                                       \
	X(HL_STORE_POSTGRES, "postgres")                                                                               \
	X(HL_STORE_EMBEDDED, "embedded")                                                                               \
	X(HL_STORE_OFF, "off")
enum hl_store { HL_STORE_CHOICES(CHOICE_VALUE) };

/* ACK: when a request is answered. */
#define ACK_CHOICES(X)                                                                                                 \
	X(ACK_DURABLE, "durable")                                                                                      \
	X(ACK_QUEUED, "queued")
enum ack { ACK_CHOICES(CHOICE_VALUE) };

/* UNKNOWN_FIELDS: what happens to the fields of an event that the API does not define. */
#define UNKNOWN_CHOICES(X)                                                                                             \
	X(UNKNOWN_FIELDS_KEEP, "keep")                                                                                 \
	X(UNKNOWN_FIELDS_IGNORE, "ignore")                                                                             \
	X(UNKNOWN_FIELDS_REFUSE, "refuse")
enum unknown_policy { UNKNOWN_CHOICES(CHOICE_VALUE) };

/* Names in the order of their enum, NULL-terminated. LOG_LEVEL and LOG_FORMAT have theirs in base/log.h. */
extern const char *const storage_names[];
extern const char *const hl_store_names[];
extern const char *const ack_names[];
extern const char *const unknown_names[];

/* Pairs of an alias and its choice, NULL-terminated. */
extern const char *const storage_aliases[];
extern const char *const hl_store_aliases[];
extern const char *const log_level_aliases[];

/* "postgres"; "unknown" for a number that is no choice, as a ring of another version may have it. */
const char *storage_name(uint32_t storage);

#endif
