"""Deep features, and linear classifiers learned on them."""
