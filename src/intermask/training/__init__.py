"""Training of both stages: what is minimised, and how a run goes."""
