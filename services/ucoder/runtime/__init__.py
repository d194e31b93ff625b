"""What every service stands on: settings, logs, bus, store, gRPC, and the one builder that joins them (`app`)."""
