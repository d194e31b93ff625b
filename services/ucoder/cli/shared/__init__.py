"""The helpers that several commands share: question files, progress bars, plots and sources of answers."""
