"""The pure rules of ucoder: no I/O, clock, protobuf or logging; only the standard library and numpy."""
