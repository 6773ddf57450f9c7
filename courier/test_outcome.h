/* Stores the result of a test. For the store thread. */
#ifndef COURIER_TEST_OUTCOME_H
#define COURIER_TEST_OUTCOME_H

#include <stdint.h>

#include "base/error.h"
#include "courier/attempt.h"
#include "store/db.h"

/*
 * Adds the attempt and ends the test in one transaction; does nothing if the test has no row any more. If the store
 * refuses the attempt, it is stored without its texts, or the test ends without it; a refusal is logged. As db_commit()
 * without DB_REFUSED.
 */
int test_outcome_write(struct db *db, const char *tenant_id, const uint8_t endpoint_id[16],
    const struct attempt_result *result, struct error *err);

#endif
