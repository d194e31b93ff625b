"""The service that starts runs, decides after each evaluation what comes next, and reports how far a run is."""
