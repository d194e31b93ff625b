"""The local model: transformers in worker processes of this machine, on the CPU or one GPU.

It covers sampling with continuous batching (`decoding`), scoring, and LoRA adapters merged into their base. It does not
cover models that need several GPUs, quantized weights, or requests from other machines: a model server does.
Only the worker processes import torch.
"""
