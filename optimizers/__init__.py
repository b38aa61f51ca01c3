"""What to try next: ask/tell optimizers, warm starts and the surrogate."""
