"""What runs all the time: looking for calls, processing them, watching over both, and keeping house."""
