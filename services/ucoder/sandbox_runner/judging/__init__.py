"""The comparison of what programs returned with what tests expect, outside the cell."""
