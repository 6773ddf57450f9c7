/* What came of a test, into the store. For the store thread. */
#ifndef COURIER_TEST_OUTCOME_H
#define COURIER_TEST_OUTCOME_H

#include <stdint.h>

#include "base/error.h"
#include "courier/attempt.h"
#include "store/db.h"

/*
 * Adds the attempt and ends the test, in one transaction; nothing when the test has no row any more. What the store
 * refuses is stored without its texts, or else the test ends without an attempt, which is logged. As db_commit()
 * without DB_REFUSED.
 */
int test_outcome_write(struct db *db, const char *tenant_id, const uint8_t endpoint_id[16],
    const struct attempt_result *result, struct error *err);

#endif
