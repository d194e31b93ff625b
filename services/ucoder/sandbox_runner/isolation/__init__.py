"""The isolation boundaries: one module for each kind, and what each covers and does not cover."""
