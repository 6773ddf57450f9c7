#!/bin/sh
# boot.sh ROOT: becomes systemd in the Debian at ROOT, as process 1 of the namespaces that `unshare -mpfnC` made. What it
# mounts goes with them.
set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs dev
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts devpts dev/pts
ln -s pts/ptmx dev/ptmx
for name in null zero full random urandom tty; do
	mknod -m 666 dev/$name c $(stat -c '0x%t 0x%T' /dev/$name)
done
ip link set lo up
mkdir -p mnt/old
pivot_root . mnt/old
umount -l /mnt/old
exec env -i container=unshare PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd systemd.unit=multi-user.target
