"""Deep features and a linear classifier, as scikit-learn estimators."""
