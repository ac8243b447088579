"""Batches by Make: rules for every network of a folder, so that only what changed is done again."""
