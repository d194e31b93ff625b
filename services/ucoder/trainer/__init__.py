"""The trainer: fine-tunes the model on the selected programs."""
