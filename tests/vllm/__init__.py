"""Tests against real vLLM on a CPU, started by ucoder's own `ServerProcess`: `make test-vllm`."""
