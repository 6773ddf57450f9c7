/*
 * Two kinds of filter. A server talks to strangers and uses few libraries, so it gets a list of allowed calls. All
 * others fail with ENOSYS, as on an older kernel, so that the C library falls back to older calls. Other processes run
 * libpq, libcurl, SQLite and resolver modules, whose calls cannot be listed, so they get a list of refused calls. Calls
 * that this machine or libseccomp does not know are skipped.
 */
#include "base/seccomp_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define REFUSE SCMP_ACT_ERRNO(EPERM)
#define UNKNOWN SCMP_ACT_ERRNO(ENOSYS)

/* Which argument of clone(2) has the flags. */
#if defined(__s390__) || defined(__s390x__)
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/*
 * Calls that no process needs: running programs, acting on other processes, configuring the kernel, evading other
 * rules.
 */
static const char *const refused[] = {"execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv",
    "process_vm_writev", "process_madvise", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "kcmp", "tkill",
    "rt_sigqueueinfo", "rt_tgsigqueueinfo", "unshare", "setns", "chroot", "pivot_root", "mount", "umount", "umount2",
    "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "swapon", "swapoff",
    "quotactl", "quotactl_fd", "acct", "reboot", "kexec_load", "kexec_file_load", "init_module", "finit_module",
    "delete_module", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "keyctl", "add_key", "request_key", "open_by_handle_at", "name_to_handle_at", "fanotify_init", "fanotify_mark",
    "syslog", "settimeofday", "stime", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname",
    "vhangup", "iopl", "ioperm", "modify_ldt", "personality", "lookup_dcookie", "mbind", "set_mempolicy",
    "migrate_pages", "move_pages", "remap_file_pages", "memfd_secret", "setuid", "setgid", "setreuid", "setregid",
    "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups", "capset", "chown", "fchown", "lchown", "fchownat",
    "mknod", "mknodat", "shmget", "shmat", "shmctl", "msgget", "msgsnd", "msgrcv", "semget", "semop", "semctl",
    "mq_open", "landlock_create_ruleset", "listen", "setpriority", "sched_setscheduler", "sched_setattr", "ioprio_set"};

/* Calls that an intruder in a server tries first. They fail with EPERM instead of ENOSYS. */
static const char *const refused_to_servers[] = {"open", "openat", "openat2", "creat", "socket", "connect", "bind",
    "clone", "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "link", "linkat", "symlink",
    "symlinkat", "truncate", "chmod", "fchmod", "fchmodat", "chdir", "fchdir"};

static const char *const refused_without_sockets[] = {"socket", "connect", "bind"};

static const char *const allowed_to_servers[] = {
    /* Connections, open descriptors, and memory files for the bytes of handed-over connections. */
    "accept", "accept4", "recv", "recvfrom", "recvmsg", "send", "sendto", "sendmsg", "shutdown", "getsockname",
    "getpeername", "getsockopt", "setsockopt", "read", "readv", "pread64", "preadv", "write", "writev", "pwrite64",
    "pwritev", "close", "dup", "dup2", "dup3", "fstat", "fstat64", "newfstatat", "fstatat64", "statx", "lseek",
    "_llseek", "memfd_create", "ftruncate", "ftruncate64", "fallocate", "pipe", "pipe2", "eventfd2", "signalfd",
    "signalfd4", "poll", "ppoll", "ppoll_time64", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait",
    "epoll_pwait", "epoll_pwait2",
    /* Memory and time. */
    "brk", "munmap", "mremap", "madvise", "futex", "futex_time64", "membarrier", "sched_yield", "sched_getaffinity",
    "getcpu", "nanosleep", "clock_nanosleep", "clock_nanosleep_time64", "clock_gettime", "clock_gettime64",
    "clock_getres", "clock_getres_time64", "gettimeofday", "time", "times", "getrusage", "getrandom", "sysinfo",
    "uname",
    /* The process itself, and its end. */
    "getpid", "getppid", "gettid", "getuid", "getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid",
    "getegid32", "getrlimit", "ugetrlimit", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn",
    "sigaltstack", "restart_syscall", "exit", "exit_group"};

/* Adds a rule. *rc becomes the error of the first rule that fails; later rules are skipped. */
static void
add_if(
    scmp_filter_ctx filter, int *rc, uint32_t action, const char *name, unsigned count, const struct scmp_arg_cmp *when)
{
	int number = seccomp_syscall_resolve_name(name);

	if (*rc != 0 || number == __NR_SCMP_ERROR)
		return;
	*rc = seccomp_rule_add_array(filter, action, number, count, when);
	if (*rc == -EDOM) /* this machine does not have the call */
		*rc = 0;
}

static void
add_all(scmp_filter_ctx filter, int *rc, uint32_t action, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_if(filter, rc, action, names[i], 0, NULL);
}

static struct scmp_arg_cmp
has_flags(unsigned argument, uint64_t mask, uint64_t flags)
{
	return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = flags};
}

static struct scmp_arg_cmp
compare(unsigned argument, enum scmp_compare op, uint64_t value)
{
	return (struct scmp_arg_cmp){.arg = argument, .op = op, .datum_a = value};
}

/* 32-bit machines have both calls. */
static void
add_fcntl(scmp_filter_ctx filter, int *rc, uint32_t action, struct scmp_arg_cmp when)
{
	add_if(filter, rc, action, "fcntl", 1, &when);
	add_if(filter, rc, action, "fcntl64", 1, &when);
}

/*
 * Allows signals to the process itself, as abort(3) sends one, but not F_SETOWN: the kernel would signal the
 * descriptor's owner.
 */
static void
add_for_server(scmp_filter_ctx filter, int *rc)
{
	static const int commands[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL};
	static const unsigned long requests[] = {FIONREAD, FIONBIO, TIOCOUTQ, TCGETS};
	const struct scmp_arg_cmp own = compare(0, SCMP_CMP_EQ, (uint64_t)getpid()),
				  other = compare(0, SCMP_CMP_NE, (uint64_t)getpid()),
				  of_caller = compare(0, SCMP_CMP_EQ, 0), not_executable = has_flags(2, PROT_EXEC, 0),
				  set_name = compare(0, SCMP_CMP_EQ, PR_SET_NAME),
				  get_name = compare(0, SCMP_CMP_EQ, PR_GET_NAME);

	add_all(filter, rc, SCMP_ACT_ALLOW, allowed_to_servers, COUNT(allowed_to_servers));
	add_all(filter, rc, REFUSE, refused_to_servers, COUNT(refused_to_servers));
	add_if(filter, rc, SCMP_ACT_ALLOW, "kill", 1, &own);
	add_if(filter, rc, SCMP_ACT_ALLOW, "tgkill", 1, &own);
	add_if(filter, rc, REFUSE, "kill", 1, &other);
	add_if(filter, rc, SCMP_ACT_ALLOW, "mmap", 1, &not_executable);
	add_if(filter, rc, SCMP_ACT_ALLOW, "mmap2", 1, &not_executable);
	add_if(filter, rc, SCMP_ACT_ALLOW, "mprotect", 1, &not_executable);
	add_if(filter, rc, SCMP_ACT_ALLOW, "prlimit64", 1, &of_caller);
	add_if(filter, rc, SCMP_ACT_ALLOW, "prctl", 1, &set_name);
	add_if(filter, rc, SCMP_ACT_ALLOW, "prctl", 1, &get_name);
	for (size_t i = 0; i < COUNT(requests); i++) {
		const struct scmp_arg_cmp request = compare(1, SCMP_CMP_EQ, requests[i]);

		add_if(filter, rc, SCMP_ACT_ALLOW, "ioctl", 1, &request);
	}
	for (size_t i = 0; i < COUNT(commands); i++)
		add_fcntl(filter, rc, SCMP_ACT_ALLOW, compare(1, SCMP_CMP_EQ, (uint64_t)commands[i]));
}

/* The families of TCP and UDP, of local sockets, and of the C library's queries about interfaces. */
static bool
is_usual(uint64_t family)
{
	return family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
}

static void
refuse_unusual_sockets(scmp_filter_ctx filter, int *rc)
{
	const struct scmp_arg_cmp beyond = compare(0, SCMP_CMP_GT, AF_NETLINK),
				  not_routes[] = {
				      compare(0, SCMP_CMP_EQ, AF_NETLINK), compare(2, SCMP_CMP_NE, NETLINK_ROUTE)};

	add_if(filter, rc, REFUSE, "socket", 1, &beyond);
	add_if(filter, rc, REFUSE, "socket", 2, not_routes);
	for (uint64_t family = 0; family < AF_NETLINK; family++) {
		const struct scmp_arg_cmp other = compare(0, SCMP_CMP_EQ, family);

		if (!is_usual(family))
			add_if(filter, rc, REFUSE, "socket", 1, &other);
	}
}

/* The kernel signals a descriptor's owner, which could be another process. It reads only 32 bits of the command. */
static void
refuse_owners(scmp_filter_ctx filter, int *rc)
{
	static const uint64_t commands[] = {F_SETOWN, F_SETOWN_EX, F_SETSIG}, requests[] = {FIOSETOWN, SIOCSPGRP};

	for (size_t i = 0; i < COUNT(commands); i++)
		add_fcntl(filter, rc, REFUSE, has_flags(1, UINT32_MAX, commands[i]));
	for (size_t i = 0; i < COUNT(requests); i++) {
		const struct scmp_arg_cmp request = has_flags(1, UINT32_MAX, requests[i]);

		add_if(filter, rc, REFUSE, "ioctl", 1, &request);
	}
}

/* A filter cannot see the flags of clone3(2), which are in memory. After ENOSYS the C library uses clone(2). */
static void
add_for_others(scmp_filter_ctx filter, bool connects, int *rc)
{
	const struct scmp_arg_cmp other = compare(0, SCMP_CMP_NE, (uint64_t)getpid()),
				  not_caller = compare(0, SCMP_CMP_NE, 0),
				  executable = has_flags(2, PROT_EXEC, PROT_EXEC),
				  writable_code = has_flags(2, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC),
				  no_thread = has_flags(CLONE_FLAGS, CLONE_THREAD, 0),
				  typing = has_flags(1, UINT32_MAX, TIOCSTI); /* the kernel reads only 32 bits */

	add_if(filter, rc, UNKNOWN, "clone3", 0, NULL);
	add_if(filter, rc, REFUSE, "clone", 1, &no_thread);
	add_if(filter, rc, REFUSE, "kill", 1, &other);
	add_if(filter, rc, REFUSE, "tgkill", 1, &other);
	add_if(filter, rc, REFUSE, "prlimit64", 1, &not_caller);
	add_if(filter, rc, REFUSE, "mprotect", 1, &executable);
	add_if(filter, rc, REFUSE, "pkey_mprotect", 1, &executable);
	add_if(filter, rc, REFUSE, "mmap", 1, &writable_code);
	add_if(filter, rc, REFUSE, "ioctl", 1, &typing);
	refuse_owners(filter, rc);
	add_if(filter, rc, REFUSE, "accept", 0, NULL);
	add_if(filter, rc, REFUSE, "accept4", 0, NULL);
	if (connects)
		refuse_unusual_sockets(filter, rc);
	else
		add_all(filter, rc, REFUSE, refused_without_sockets, COUNT(refused_without_sockets));
}

bool
seccomp_filter_known(void)
{
	uint32_t action = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int
seccomp_filter_enter(bool serves, bool connects, struct error *err)
{
	scmp_filter_ctx filter = seccomp_init(serves ? UNKNOWN : SCMP_ACT_ALLOW);
	int rc;

	if (filter == NULL) {
		errno = ENOMEM;
		return error_errno(err, "cannot make a filter of system calls");
	}
	/* No foreign code runs here, so turn the costly mitigation of speculative store bypass off. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a search tree instead of a list */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's errno, not ECANCELED */
	rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0); /* the caller has set it */
	add_all(filter, &rc, REFUSE, refused, COUNT(refused));
	if (serves)
		add_for_server(filter, &rc);
	else
		add_for_others(filter, connects, &rc);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	if (rc == 0)
		return 0;
	errno = -rc;
	return error_errno(err, "cannot enter the filter of system calls");
}
