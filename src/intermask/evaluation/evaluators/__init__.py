"""Networks that put captions and motions in one space, where metrics measure distances.

| file | data set | network |
|---|---|---|
| ``interclip`` | InterHuman | InterCLIP: two transformers, as CLIP's pair |
| ``interx`` | Inter-X | convolutions and recurrent networks, two towers |
| ``words`` | Inter-X | none: captions as its evaluator reads them |

They see tensors, sizes and lengths. The weights that their authors released are read by
`intermask.official`.
"""
