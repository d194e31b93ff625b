"""Fuzzing of whatever reads what others wrote. A short form is part of the unit tests; `make fuzz` goes on for long."""
