"""What every service stands on: settings, logs, the bus, the store, gRPC, and the one builder that joins them (`app`)."""
