"""A real run with every service its own process, and something broken all the time: `make chaos`."""
