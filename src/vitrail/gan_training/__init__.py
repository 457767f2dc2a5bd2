"""The adversarial game: its losses, its steps, what is kept of it, and what can go wrong."""
