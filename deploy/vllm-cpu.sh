#!/bin/sh
# vllm-cpu.sh FOLDER MODEL PORT: starts vLLM on one core, from the environment that vllm.sh made. As a setting:
# UCODER_MODEL_URL=vllm UCODER_MODEL_COMMAND="deploy/vllm-cpu.sh .venv-vllm {model} {port}"
set -eu
unset PYTHONDONTWRITEBYTECODE  # where it is set, every start compiles thousands of files
export VLLM_TARGET_DEVICE=cpu VLLM_CPU_KVCACHE_SPACE=1 VLLM_HOST_IP=127.0.0.1 VLLM_NO_USAGE_STATS=1 HF_HUB_OFFLINE=1
export TORCHDYNAMO_DISABLE=1 OMP_NUM_THREADS=1 VLLM_CPU_OMP_THREADS_BIND=nobind
export VLLM_ALLOW_RUNTIME_LORA_UPDATING=True  # safe here: the model server is ours and listens on loopback
# With chunked prefill, seeded requests crash the engine on CPUs.
exec "$1/bin/python" -m vllm.entrypoints.openai.api_server --model "$2" --served-model-name "$2" \
  --host 127.0.0.1 --port "$3" --dtype float32 --max-model-len 512 --max-num-seqs 128 --enforce-eager \
  --no-enable-chunked-prefill --enable-prefix-caching --block-size 32 --enable-lora --max-lora-rank 8
