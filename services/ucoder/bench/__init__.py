"""What is claimed, measured: one module per `ucoder bench` command."""
