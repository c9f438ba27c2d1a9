"""The networks: the tokenizer, the Inter-M transformer and the trainable text head.

Networks see tensors and sizes, never the name of a data set. Letters in shapes: `b` batch, `p`
person (2), `t` frame, `f` flat feature, `s` token row, `n` token column (t / 4), `c` latent
channel, `k` code, `e` transformer width, `w` text width, `l` text token.
"""
