"""The authors' release, turned into our networks: the only room that knows their names and quirks.

| file | what it knows |
|---|---|
| ``names`` | how the released code calls every weight |
| ``tree`` | where the files of a release are, and how to read them safely |
| ``configuration`` | which configuration of ours they amount to |
| ``importer`` | the weights, put where they belong |
| ``evaluators``, ``evaluator_names`` | the same for the networks that the authors measured with |
| ``report`` | figures of an import that a user can compare |
"""

from __future__ import annotations

from intermask.official.evaluators import import_interclip, import_interx_evaluator
from intermask.official.importer import Imported, import_official
from intermask.official.names import tokenizer_key, transformer_key
from intermask.official.report import check_report

__all__ = [
    "Imported",
    "check_report",
    "import_interclip",
    "import_interx_evaluator",
    "import_official",
    "tokenizer_key",
    "transformer_key",
]
