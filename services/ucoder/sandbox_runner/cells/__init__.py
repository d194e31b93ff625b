"""The kinds of boundary, one module each; every one says what it covers and what it does not."""
