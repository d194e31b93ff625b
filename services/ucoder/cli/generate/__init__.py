"""`ucoder generate ...`: each stage alone, JSON lines in and out; a module per command."""
