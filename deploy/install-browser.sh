#!/bin/sh
# Installs the headless Chromium for the dashboard's tests, through apt where that is allowed. Does nothing when it exists.
set -eu
if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "install-browser: no Chromium here, so its tests are skipped; with root: apt-get install chromium chromium-driver"
  exit 0
fi
install() { DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null 2>&1; }
install chromium chromium-driver fonts-dejavu-core ||
  { apt-get update -qq && install chromium chromium-driver fonts-dejavu-core; } ||
  echo "install-browser: apt has no chromium and chromium-driver, so its tests are skipped"
