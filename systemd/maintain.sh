# What install.sh and the maintainer scripts of the Debian package do alike; POSIX shell.
# root: where the system is staged, empty for the running one.

is_live() { [ -z "${root:-}" ] && [ -d /run/systemd/system ]; }

# every service of a cell, by the patterns that systemctl takes; never quoted
services='voxgate.service voxgate@*.service voxgate-page@*.service voxgate-mqtt@*.service voxgate-opcua@*.service'

of_services() { # of_services VERB: to each that runs
  set -f
  # shellcheck disable=SC2086
  systemctl "$1" $services
  set +f
}

restart_running() {
  is_live || return 0
  systemctl daemon-reload
  systemctl try-restart voxgate-camera.socket
  of_services try-restart
}

stop_services() {
  is_live || return 0
  of_services stop 2>/dev/null || true
  systemctl stop voxgate-camera.socket 'voxgate-camera@*.service' 2>/dev/null || true
}

kept=/run/voxgate-upgrade # the services that ran before an upgrade, a line each

keep_running() {
  is_live || return 0
  set -f
  # shellcheck disable=SC2086
  systemctl list-units --plain --no-legend --state=active,activating,reloading $services | cut -d' ' -f1 >$kept
  set +f
}

start_kept() { # also what was started by hand; what does not start does not keep a package from being installed
  is_live || return 0
  systemctl daemon-reload
  [ -f $kept ] || return 0
  while read -r unit; do
    systemctl start "$unit" </dev/null || echo "voxgate: $unit did not start: journalctl -u $unit" >&2
  done <$kept
  rm -f $kept
}

kernels_of() { # kernels_of HOME: by root, for its place and this processor; services only read them
  rm -rf "${1:?}/kernels"
  mkdir -m 755 "$1/kernels" # also an empty one: then none is kept that the service could write
  (umask 022 && NUMBA_CACHE_DIR="$1/kernels" "$1/bin/python" -I -m voxgate.runtime.inspection.warm_up)
}

purge_records() { # configuration, keys, recipes, records, drop-ins
  units=${root:-}/etc/systemd/system
  rm -rf "${root:-}/etc/voxgate" "${root:-}"/var/lib/voxgate "${root:-}"/var/cache/voxgate \
    "${root:-}"/var/lib/voxgate@* "${root:-}"/var/cache/voxgate@* "${root:-}/var/lib/voxgate-page" \
    "$units"/voxgate.service.d "$units"/voxgate@*.service.d "$units"/voxgate-*@*.service.d
}

remove_accounts() {
  if [ -z "${root:-}" ]; then
    for own in voxgate-page voxgate-mqtt voxgate-opcua voxgate; do
      userdel "$own" 2>/dev/null || true # its group goes with it, unless others are in it
      groupdel "$own" 2>/dev/null || true
    done
    return
  fi
  for file in passwd shadow group gshadow; do
    if [ -f "$root/etc/$file" ]; then
      sed -i '/^voxgate\(-page\|-mqtt\|-opcua\)\?:/d' "$root/etc/$file"
    fi
  done
}
