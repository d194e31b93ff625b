"""An OpenAI-compatible door: a client that changes only its base URL gets best-of-n by execution consensus."""
