#!/bin/sh
# venv.sh PYTHON FOLDER REQUIREMENT: makes an environment with ucoder in it.
# Debian packages Python's venv module apart; it is installed where that is allowed.
set -eu
python=$1 folder=$2 requirement=$3

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "ucoder needs Python 3.11 or newer; '$python' is not. Run: make PYTHON=/path/to/python3.11 ..." >&2
  exit 2
fi
if [ ! -x "$folder/bin/pip" ]; then
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null
    else
      echo "Python's venv module is missing. Run: sudo apt-get install python3-venv" >&2
      exit 2
    fi
  fi
  "$python" -m venv "$folder"
fi
echo "installing $requirement into $folder (the first time takes a few minutes)"
"$folder/bin/pip" install --quiet --disable-pip-version-check -e "$requirement"
