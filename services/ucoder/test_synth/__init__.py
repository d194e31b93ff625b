"""The test writer: asks the model for tests of a problem, and checks and counts what it writes."""
