"""Pure: no I/O, no clock, no protobuf, no logging. Only the standard library and numpy."""
