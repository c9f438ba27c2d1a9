"""Networks that put captions and motions in one space, where metrics measure distances.

| file | data set | network |
|---|---|---|
| ``interclip`` | InterHuman | InterCLIP: two transformers, as CLIP's pair |
| ``interx`` | Inter-X | convolutions and recurrent networks, two towers |

They see tensors, sizes and lengths. The weights that their authors released are read by
`intermask.official`.
"""
