"""Chaos tests: a real run with every service in its own process, in which something always fails (`make chaos`)."""
