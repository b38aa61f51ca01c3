"""PostgreSQL in containers: the engine's side of it, and a target made of it."""
