"""The local model: transformers in worker processes of this machine. Only the workers import torch."""
