"""The product's own words and rules: pure, synchronous, no I/O."""
