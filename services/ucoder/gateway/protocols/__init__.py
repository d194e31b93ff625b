"""The HTTP protocols of other systems: reward servers of trainers, and environments."""
