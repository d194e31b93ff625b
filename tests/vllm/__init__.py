"""Real vLLM on a CPU, started by our own process host: `make test-vllm`."""
