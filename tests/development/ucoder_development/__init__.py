"""Measurements and programs that only developers of ucoder run: no part of the wheel."""
