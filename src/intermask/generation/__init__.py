"""From a sentence to two moving people: sampling tokens, decoding them, and settling the motion."""
