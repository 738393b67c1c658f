"""What is in a model file, found out without running it."""
