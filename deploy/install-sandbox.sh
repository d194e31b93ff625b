#!/bin/sh
# Installs the isolation of programs: gVisor's runsc and bubblewrap, from this machine's own Debian or Ubuntu sources.
# Debian 12's runsc is too old, so it comes from the release's backports, through the mirror that apt already uses.
# Does nothing when both are there. Without root, runsc is unpacked into ~/.cache/ucoder/bin.
set -eu

OLDEST=20240101

say() { printf '%s\n' "install-sandbox: $*"; }
find_runsc() { PATH="$PATH:$HOME/.cache/ucoder/bin" command -v runsc || true; }
new_enough() {
  path=$(find_runsc)
  [ -n "$path" ] && [ "$("$path" --version | sed -n 's/.*[^0-9]\([0-9]\{8\}\).*/\1/p' | head -1)" -ge "$OLDEST" ] 2>/dev/null
}

if new_enough && command -v bwrap >/dev/null; then exit 0; fi
if ! command -v apt-get >/dev/null; then
  say "no apt-get here: install gVisor (runsc) and bubblewrap with this system's package manager, see gvisor.dev/docs"
  exit 1
fi
. /etc/os-release
root=false
[ "$(id -u)" = 0 ] && root=true

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"

# The mirror of the system's own suite, in either of apt's two formats.
mirror() {
  cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '
    /^URIs:/ { uri = $2 } /^Suites:/ { for (i = 2; i <= NF; i++) if ($i == suite) found = uri } END { print found }
  ' suite="$VERSION_CODENAME"
  awk -v suite="$VERSION_CODENAME" '$1 == "deb" { for (i = 2; i < NF; i++) if ($i ~ /:\/\// && $(i+1) == suite) print $i }
  ' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null
}

fetch_runsc() {
  uri=$(mirror | grep . | head -1)
  if [ -z "$uri" ]; then say "no mirror of $VERSION_CODENAME in apt's sources"; return 1; fi
  component=main
  [ "$ID" = ubuntu ] && component="main universe"
  signed=""
  for keyring in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/ubuntu-archive-keyring.gpg; do
    [ -f "$keyring" ] && signed="[signed-by=$keyring]"
  done
  for suite in "$VERSION_CODENAME" "$VERSION_CODENAME-backports"; do
    echo "deb $signed $uri $suite $component"
  done >"$work/sources.list"
  set -- -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root
  apt-get "$@" -qq update || return 1
  newest=$(apt-cache "$@" madison runsc | awk '{ print $3 }' | sort -V | tail -1)
  if [ -z "$newest" ]; then say "this release packages no runsc"; return 1; fi
  (cd "$work" && apt-get "$@" -qq download "runsc=$newest")
}

status=0
if ! new_enough; then
  if fetch_runsc; then
    if $root; then
      apt-get -qq install -y --no-install-recommends "$work"/runsc_*.deb >/dev/null
    else
      dpkg -x "$work"/runsc_*.deb "$work/unpacked"
      mkdir -p "$HOME/.cache/ucoder/bin"
      cp "$work/unpacked/usr/bin/runsc" "$HOME/.cache/ucoder/bin/runsc"
    fi
  fi
  if new_enough; then say "runsc is $(find_runsc)"; else
    say "could not install runsc: get a release of $OLDEST or newer as gvisor.dev/docs/user_guide/install says"
    status=1
  fi
fi
if ! command -v bwrap >/dev/null; then
  if $root; then
    apt-get -qq install -y --no-install-recommends bubblewrap >/dev/null 2>&1 ||
      { apt-get -qq update && apt-get -qq install -y --no-install-recommends bubblewrap >/dev/null; } || status=1
  else
    say "bubblewrap is missing; with root: apt-get install bubblewrap"
  fi
fi
# One of the two is enough, and the missing one was reported. With neither, no program may run.
if new_enough || command -v bwrap >/dev/null; then exit 0; fi
exit $status
