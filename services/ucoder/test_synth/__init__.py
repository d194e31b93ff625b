"""Writes tests: inputs and what a solution should answer to them."""
