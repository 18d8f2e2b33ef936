#!/bin/sh
# Starts systemd as the first process of a machine of its own: new namespaces, this machine's files
# (or a tree's) below a layer that is thrown away, no network but its own.
#
#   boot.sh FOLDER CGROUP [TREE]   FOLDER: empty, for the layer; CGROUP: this process's, the machine's root
set -eu
folder=$1
echo $$ > "$2/cgroup.procs"
exec unshare --mount --propagation private --uts --ipc --net --cgroup --pid --fork --kill-child \
  sh -eu -c '
  folder=$1 tree=$2
  first=
  [ -d "$folder/layer" ] || first=yes
  mkdir -p "$folder/layer" "$folder/work" "$folder/root"
  mount -t overlay -o "lowerdir=$tree,upperdir=$folder/layer,workdir=$folder/work" overlay "$folder/root"
  cd "$folder/root"
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount -t cgroup2 cgroup sys/fs/cgroup
  mount -t tmpfs tmpfs run
  mount -t tmpfs tmpfs tmp
  mount -t tmpfs -o mode=755 tmpfs dev
  for node in null zero full random urandom tty; do
    : > dev/$node
    mount --bind /dev/$node dev/$node
  done
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  mount -t tmpfs tmpfs dev/shm
  if [ "$first" ]; then # nothing of what the machine below starts at boot, nor of its own VoxGate
    rm -rf etc/systemd/system/*.wants etc/voxgate opt/voxgate var/lib/voxgate var/log/journal
    : > etc/machine-id
  fi
  mkdir -p .below
  pivot_root . .below
  umount -l /.below
  mount --make-rshared / # as who starts a container does: credentials are mounts
  exec env -i container=voxgate-test PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin \
    /lib/systemd/systemd systemd.unit=multi-user.target < /dev/null > /dev/null 2>&1
' sh "$folder" "${3:-/}"
