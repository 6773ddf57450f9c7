/* Values as text in the caller's buffer, without terminator: for JSONL lines, dead letters, logs. */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define FORMAT_UUID_BYTES 36
#define FORMAT_TIME_BYTES 27

/* 8-4-4-4-12 hex digits in lower case. */
void format_uuid(const uint8_t id[16], char out[FORMAT_UUID_BYTES]);

/* 2026-11-22T03:54:40.123456Z from microseconds since 1970-01-01 UTC; years 0001..9999. */
void format_time(int64_t us, char out[FORMAT_TIME_BYTES]);

/*
 * Writes text, valid UTF-8, as a JSON string with its quotes; escapes quotes, backslashes and control characters. out
 * holds at least format_json_max(len) bytes. Returns the end of the string in out.
 */
char *format_json_string(char *out, const char *text, size_t len);

static inline size_t
format_json_max(size_t len)
{
	return 6 * len + 2;
}

#endif
