"""The trusted host side: cells, the pool that keeps them warm, batches of programs and remembered results."""
