"""The shipped seed model, its benchmark and dev split, and the grammar in which its problems are stated."""
