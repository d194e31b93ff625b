"""Fine-tunes on what was selected."""
