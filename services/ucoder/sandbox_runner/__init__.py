"""Runs programs nobody vouches for: every program on every test, inside an isolation boundary, with the verdict
formed outside.
"""
