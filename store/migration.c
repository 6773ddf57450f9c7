/* Compares versions; the sets themselves are made at build time. */
#include "store/migration.h"

int
migration_check_version(const struct migration_set *set, int version, struct error *err)
{
	if (version > set->target)
		return error_set(err,
		    "the %s is at version %d, this program knows versions up to %d: install the newer one", set->schema,
		    version, set->target);
	if (version < set->target)
		return error_set(err,
		    "the %s is at version %d, this program needs %d: run `hooksctl migrate`, or start hooksd with "
		    "AUTO_MIGRATE=true",
		    set->schema, version, set->target);
	return 0;
}
