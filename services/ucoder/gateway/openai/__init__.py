"""The OpenAI-compatible paths: a server in front of any other, which answers with the best of n where it can judge."""
