"""The language model: prompts, training, adapters and constrained suggestions."""
