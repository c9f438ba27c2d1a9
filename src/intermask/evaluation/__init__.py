"""Measuring motion: by embeddings of an evaluator, and by what bodies can do."""
