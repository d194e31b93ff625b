"""The foundation of every service: settings, logs, bus, store, gRPC, and `app`, which builds and runs services."""
