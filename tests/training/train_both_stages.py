"""Run by torchrun: both stages in processes that share every batch (see `test_shares`).

train_both_stages.py OUTPUT TOKENIZER_RUN DATA=SHARE...
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from intermask.data.batching import Source
from tiny_training import train_tokenizer, train_transformer

output, tokenizer, *folders = sys.argv[1:]
parted = [folder.rpartition("=") for folder in folders]
data = [Source(Path(folder), float(share)) for folder, _, share in parted]
train_tokenizer(Path(output) / "tokenizer", data)
train_transformer(Path(output) / "transformer", data, Path(tokenizer))
