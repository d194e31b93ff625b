"""The generator: invents problems, samples programs for them, and has the model server serve the right checkpoint."""
