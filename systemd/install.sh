#!/usr/bin/env bash
# Install VoxGate as a service, go back to the version before, or take it off again.
#
#   sudo systemd/install.sh [OPTION]... [WHEEL]   this checkout, or a wheel; also the upgrade
#     --with tensorrt-rtx   for an RTX card: TensorRT for RTX, from requirements-rtx.lock
#     --with tensorrt       for a Jetson: the system's own TensorRT must be there
#     --with none           neither; without --with an upgrade keeps what there was
#     --wheelhouse DIR      wheels from a folder (make wheelhouse), no index is asked
#   sudo systemd/install.sh --rollback   the version before, at once
#   sudo systemd/install.sh --rebuild-plans   after an upgrade of JetPack or the driver: what of the
#                                        cells' recipes had a TensorRT plan gets one again; never unasked
#   sudo systemd/install.sh --uninstall  everything that was installed; configuration, keys, recipes
#                                        and records stay (--purge takes them too)
#
# What VoxGate needs is installed from requirements-box.lock, by hash; LOCK=FILE names another lock.
# WHEELS=DIR is --wheelhouse DIR.
#
# Every version lies in its own /opt/voxgate/VERSION; `current` and `previous` are links, so that a
# switch is one step. DESTDIR=DIR stages it all below DIR and leaves the running system alone.
set -euo pipefail

root=${DESTDIR:-}
draft=
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
opt=$root/opt/voxgate
units=$root/etc/systemd/system
python=${PYTHON:-python3}
wheels=${WHEELS:-}
with=
. "$here/maintain.sh"

say() { printf 'voxgate: %s\n' "$*"; }
die() { printf 'voxgate: %s\n' "$*" >&2; exit 2; }

point() { # point LINK VERSION: in one step
  ln -sfn "$2" "$opt/.$1.new"
  mv -T "$opt/.$1.new" "$opt/$1"
}

home() { # home FOLDER WAS IS: the scripts of a venv name their interpreter by its full path
  grep -rlI --null "$2/" "$1/bin" | xargs -0 -r sed -i "s|$2/|$3/|g"
}

keep_replaced() { # keep_replaced VERSION: the same once more; with nothing else to go back to, its old self
  local before=$1.before last
  last=$(readlink "$opt/previous" || true)
  if [[ -z $last || $last == "$before" || ! -d $opt/$last ]]; then
    rm -rf "${opt:?}/$before"
    mv "$opt/$1" "$opt/$before"
    home "$opt/$before" "/opt/voxgate/$1" "/opt/voxgate/$before"
    compile_kernels "$before" # numba knows them by their place
    point previous "$before"
  fi
}

from_lock() { # from_lock PYTHON ARGUMENT...: of pip install
  local in=$1
  shift
  "$in" -m pip install --quiet --disable-pip-version-check ${wheels:+--no-index --find-links "$wheels"} "$@"
}

choose_with() { # what serves the models besides the processor: as asked, or as it was
  if [[ -z $with && -f $opt/with ]]; then with=$(<"$opt/with"); fi
  case ${with:=none} in
    tensorrt-rtx) lock=${LOCK:-$here/../requirements-rtx.lock} ;;
    tensorrt | none) lock=${LOCK:-$here/../requirements-box.lock} ;;
    *) die "--with $with: say tensorrt-rtx (a PC with an RTX card), tensorrt (a Jetson) or none" ;;
  esac
  [[ -f $lock ]] || die "$lock: is missing: it comes with the checkout or the release"
}

check_with() { # check_with PYTHON: before anything is current, for a box that serves by it
  case $with in
    tensorrt-rtx)
      "$1" -c 'import tensorrt_rtx_bindings, cuda.bindings' ||
        die "TensorRT for RTX does not load: is this x86-64 or arm64 with Python 3.10 to 3.13? Nothing was changed" ;;
    tensorrt)
      "$1" -c 'import tensorrt' ||
        die "the system has no TensorRT for $python: apt-get install python3-libnvinfer. Nothing was changed"
      "$1" -c 'import cuda.bindings' 2>/dev/null || "$1" -c 'import pycuda' ||
        die "TensorRT is here, but no way to the GPU: install pycuda for $python. Nothing was changed" ;;
  esac
}

compile_kernels() { # compile_kernels VERSION: by root, for its place; the service may only read them
  if [[ -n $root ]]; then
    rm -rf "${opt:?}/$1/kernels"
    mkdir -m 755 "$opt/$1/kernels"
    say "kernels are for a place and a processor: until install.sh has run on the box, each start compiles them"
    return
  fi
  kernels_of "$opt/$1" ||
    say "kernels of $1 could not be compiled: each start takes half a minute more"
}

install_version() {
  local source=$1 version
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    die "$python is older than 3.10: name another with PYTHON=..."
  mkdir -p "$opt"
  draft=$(mktemp -d "$opt/.draft.XXXXXX")
  trap 'rm -rf "$draft"' EXIT # whatever goes wrong, the version before stays current
  say "installing into $opt"
  # TensorRT's Python module comes with the system: it must stay visible
  "$python" -m venv --system-site-packages "$draft"
  # pip runs as root: it takes what the lock names by its hash, builds none of it and asks for no more
  from_lock "$draft/bin/python" --require-hashes --only-binary :all: -r "$lock" ||
    die "${wheels:-the package index} does not give what $lock names by its hash for this processor and" \
      "$("$python" -V) (pip says which, above)${wheels:+: pack it again, make wheelhouse}. Nothing was changed"
  from_lock "$draft/bin/python" --no-deps --no-build-isolation "$source" ||
    die "$source does not install (pip says why, above). Nothing was changed"
  check_with "$draft/bin/python"
  version=$("$draft/bin/python" -c 'from importlib.metadata import version; print(version("voxgate"))')
  if [[ -d $opt/$version && $(readlink "$opt/current") == "$version" ]]; then
    keep_replaced "$version"
  fi
  rm -rf "${opt:?}/$version"
  mv "$draft" "$opt/$version"
  home "$opt/$version" "$draft" "/opt/voxgate/$version"
  chmod 755 "$opt/$version"
  trap - EXIT
  say "compiling kernels"
  compile_kernels "$version"
  if [[ -L $opt/current && $(readlink "$opt/current") != "$version" ]]; then
    point previous "$(readlink "$opt/current")"
  fi
  point current "$version"
  if [[ $with == none ]]; then rm -f "$opt/with"; else echo "$with" >"$opt/with"; fi
  say "version $version is current, with $with"
}

install_units() {
  install -D -m 644 "$here/voxgate.service" "$units/voxgate.service"
  install -D -m 644 "$here/voxgate.service" "$units/voxgate@.service"
  install -D -m 644 -t "$units" "$here/voxgate-camera.socket" "$here/voxgate-camera@.service" \
    "$here/voxgate-page@.service" "$here/voxgate-mqtt@.service" "$here/voxgate-opcua@.service"
  install -D -m 644 "$here/voxgate.sysusers" "$root/etc/sysusers.d/voxgate.conf"
  install -D -m 644 "$here/voxgate.tmpfiles" "$root/etc/tmpfiles.d/voxgate.conf"
  systemd-sysusers ${root:+--root="$root"} "$root/etc/sysusers.d/voxgate.conf"
  systemd-tmpfiles --create ${root:+--root="$root"} "$root/etc/tmpfiles.d/voxgate.conf"
  for folder in "$units"/voxgate.service.d "$units"/voxgate@*.service.d; do
    if [[ -f $folder/usb-camera.conf ]]; then
      say "cameras have a user of their own now: move $folder/usb-camera.conf to $units/voxgate-camera@.service.d/"
    fi
  done
}

enabled() { # the links that start a unit or one of its instances at boot
  find "$units" -mindepth 2 -maxdepth 2 -type l -path '*.wants/*' \
    \( -name voxgate.service -o -name 'voxgate@*.service' -o -name 'voxgate-page@*.service' \
    -o -name 'voxgate-mqtt@*.service' -o -name 'voxgate-opcua@*.service' \)
}

uninstall() {
  stop_services
  enabled | xargs -r rm -f
  rm -f "$units/voxgate.service" "$units/voxgate@.service" \
    "$units/voxgate-camera.socket" "$units/voxgate-camera@.service" "$units/voxgate-page@.service" \
    "$units/voxgate-mqtt@.service" "$units/voxgate-opcua@.service" \
    "$root/etc/sysusers.d/voxgate.conf" "$root/etc/tmpfiles.d/voxgate.conf"
  rm -rf "$opt"
  if is_live; then
    systemctl daemon-reload
    of_services reset-failed 2>/dev/null || true
  fi
  if [[ ${1:-} == --purge ]]; then
    purge_records
    remove_accounts
    say "removed, with configuration, keys, recipes, records and the user"
  else
    say "removed; /etc/voxgate and /var/lib/voxgate stay (--uninstall --purge takes them too)"
  fi
}

rollback() {
  [[ -L $opt/previous ]] || die "there is no version before this one"
  local before now
  before=$(readlink "$opt/previous")
  now=$(readlink "$opt/current")
  [[ -d $opt/$before ]] || die "$opt/$before is gone: install that version again"
  point current "$before"
  point previous "$now"
  restart_running
  say "back to $before; $now is kept"
}

rebuild_plans() { # of every cell, also when one fails
  local cell failed=
  [[ -L $opt/current ]] || die "nothing is installed in $opt: first $0"
  for cell in "$root"/etc/voxgate/voxgate.yaml "$root"/etc/voxgate/voxgate@*.yaml; do
    [[ -f $cell ]] || continue
    "$opt/current/bin/python" -I "$opt/current/bin/voxgate" build --rebuild -c "$cell" || failed+=" $cell"
  done
  restart_running
  [[ -z $failed ]] || die "not built:$failed; what serves by its plan does not serve until it is"
  say "plans are those of what is here; a cell that was down: systemctl restart voxgate"
}

[[ -n $root || $(id -u) == 0 ]] || die "needs root: sudo $0"
while [[ ${1:-} == --with || ${1:-} == --wheelhouse ]]; do
  [[ -n ${2:-} ]] || die "$1 needs a value: see $0 --help"
  if [[ $1 == --with ]]; then with=$2; else wheels=$2; fi
  shift 2
done
case ${1:-} in
  --uninstall) uninstall "${2:-}" ;;
  --rollback) rollback ;;
  --rebuild-plans) rebuild_plans ;;
  -*) sed -n '2,19s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
  *)
    source=${1:-$(ls "$here"/../voxgate-*.whl 2>/dev/null || echo "$here/..")} # a release, or a checkout
    [[ -e $source ]] || die "$source: no such wheel or checkout"
    [[ -z $wheels || -d $wheels ]] || die "$wheels: no such folder of wheels: make wheelhouse"
    choose_with
    install_version "$source"
    install_units
    restart_running
    say "next: write /etc/voxgate/voxgate.yaml, then: systemctl enable --now voxgate"
    ;;
esac
