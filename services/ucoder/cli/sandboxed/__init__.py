"""The commands that run untrusted programs in the sandbox."""
