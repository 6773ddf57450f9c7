/* A ruleset restricts every access that the kernel knows; each rule allows some of them for one path. */
#include "base/landlock.h"

#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Constants that the headers of Debian 12 lack; the comment is the first version of Landlock with it. */
#define FS_TRUNCATE (UINT64_C(1) << 14) /* 3 */
#define FS_IOCTL_DEV (UINT64_C(1) << 15) /* 5 */
#define NET_BIND_TCP (UINT64_C(1) << 0) /* 4 */
#define NET_CONNECT_TCP (UINT64_C(1) << 1) /* 4 */
#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0) /* 6 */
#define SCOPE_SIGNAL (UINT64_C(1) << 1) /* 6 */

struct ruleset {
	uint64_t files, net, scopes;
};

#define FIRST_VERSION_FS ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITING                                                                                                        \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |                \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | FS_TRUNCATE)
#define OF_A_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)

int
landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? (int)version : 0;
}

/* Everything a kernel of that version can restrict. *size: the bytes of the struct that it knows. */
static struct ruleset
restrictions(int version, bool connects, size_t *size)
{
	struct ruleset ruleset = {.files = FIRST_VERSION_FS};

	if (version >= 2)
		ruleset.files |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		ruleset.files |= FS_TRUNCATE;
	if (version >= 5)
		ruleset.files |= FS_IOCTL_DEV;
	if (version >= 4)
		ruleset.net = NET_BIND_TCP | (connects ? 0 : NET_CONNECT_TCP);
	if (version >= 6)
		ruleset.scopes = SCOPE_SIGNAL | (connects ? 0 : SCOPE_ABSTRACT_UNIX_SOCKET);
	*size = version >= 6 ? sizeof ruleset : version >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
	return ruleset;
}

int
landlock_rules(bool connects, struct error *err)
{
	size_t size;
	const struct ruleset ruleset = restrictions(landlock_version(), connects, &size);
	int rules = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);

	return rules >= 0 ? rules : error_errno(err, "cannot make rules of Landlock");
}

int
landlock_allow(int rules, int fd, bool writes, struct error *err)
{
	size_t size;
	const struct ruleset ruleset = restrictions(landlock_version(), false, &size);
	struct landlock_path_beneath_attr rule = {.parent_fd = fd};
	struct stat st;

	rule.allowed_access = (writes ? READING | WRITING : READING) & ruleset.files;
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_A_FILE;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
		return 0;
	return error_errno(err, "cannot add a rule of Landlock");
}

int
landlock_enter(int rules, struct error *err)
{
	return syscall(SYS_landlock_restrict_self, rules, 0) == 0 ? 0
								  : error_errno(err, "cannot enter rules of Landlock");
}
