"""Socket activation as a service manager does it (sd_listen_fds(3))."""

import sys

# Moves the descriptors of its first argument to 3, 4, ... and executes the rest of its arguments, as a manager's child.
LAUNCH = """
import os, sys
fds = [os.dup(int(fd)) for fd in sys.argv[1].split(",")]
while min(fds) < 3 + len(fds):
    fds = [os.dup(fd) for fd in fds]
for number, fd in enumerate(fds):
    os.dup2(fd, 3 + number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(fds))}
os.execv(sys.argv[2], sys.argv[2:])
"""


def pass_descriptors(daemon, fds):
    """Daemons that start from now on inherit these sockets."""
    daemon.launcher = [sys.executable, "-c", LAUNCH, ",".join(map(str, fds))]
    daemon.pass_fds = fds
