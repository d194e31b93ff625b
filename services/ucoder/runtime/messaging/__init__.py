"""The NATS side of every service: the bus, its consumers, dead letters, run states and progress events."""
