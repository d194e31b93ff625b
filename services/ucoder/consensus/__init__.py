"""Answers which program is right and how sure that is; gathers what was selected into datasets."""
