/*
 * Months, and whether each has a partition of its own. A writer remembers this between two looks at the database, so it
 * knows without asking whether an event's month must be made first. Pure arithmetic.
 *
 * A month is a number here: year * 12 + month - 1, so that the next one is one more.
 */
#ifndef STORE_POSTGRES_MONTHS_H
#define STORE_POSTGRES_MONTHS_H

#include <stdbool.h>
#include <stdint.h>

#include "event/record.h"

/*
 * Partitions are made for months at most this far before and after reception; other events use the default
 * partition.
 */
#define WINDOW_BACK 24
#define WINDOW_AHEAD 1

/* The number of months remembered, up to PARTITIONS_AHEAD_MAX ahead. Earlier and later ones are unknown. */
#define MONTHS_KNOWN 64

struct months {
	int32_t first; /* the month of bit 0, index 0 */
	uint64_t present; /* has a partition */
	uint64_t refused; /* has none, and PostgreSQL refused to make one */
	uint32_t in_default[MONTHS_KNOWN]; /* its events that were found in the default partition */
	int64_t cached_from_us, cached_until_us; /* the month of the last record whose month has a partition */
};

/* The UTC month of an instant between the years 1 and 9999. */
int32_t month_of(int64_t us);

/* Its parts: 1..9999 and 1..12. */
int month_year(int32_t month);
int month_number(int32_t month);

/* Forgets everything and remembers months around this one. */
void months_init(struct months *months, int32_t this_month);

/* The month has a partition. Ignored for an unknown one. */
void months_add(struct months *months, int32_t month);

/* PostgreSQL refused to make the month. Ignored for an unknown one. */
void months_refuse(struct months *months, int32_t month);

bool months_known(const struct months *months, int32_t month);

/* Whether the month is known to have a partition; whether PostgreSQL is known to refuse one. */
bool months_has(const struct months *months, int32_t month);
bool months_refused(const struct months *months, int32_t month);

/* How many months after this one have partitions, up to the first gap. */
uint32_t months_in_a_row(const struct months *months, int32_t this_month);

/* Whether a month lies in the window of events received in another. */
bool month_in_window(int32_t month, int32_t received);

enum month_need {
	MONTH_IS_THERE,
	MONTH_IS_WANTED, /* without a partition, inside the record's window, and known */
	MONTH_IS_REFUSED, /* the same, but PostgreSQL refused to make it */
	MONTH_IS_OUTSIDE /* has no known partition, and none is made */
};

/*
 * What the record's month needs; *month is that month, unless it has a partition. Cheap if the record has the same
 * month as the last one.
 */
enum month_need months_need(struct months *months, const struct record *record, int32_t *month);

#endif
