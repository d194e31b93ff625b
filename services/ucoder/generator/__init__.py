"""Asks the model: invents problems, plans them, samples programs; and sees to it that the right weights are served."""
