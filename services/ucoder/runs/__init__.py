"""The loop's front door: starts runs, decides what comes next, reports."""
