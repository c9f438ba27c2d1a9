"""From files on disk to clips, and from clips to training batches."""
