"""Networks that put captions and motions in one space, where metrics measure distances.

| file | data set | what |
|---|---|---|
| ``evaluator`` | all | `Evaluator`, what a measurement asks of any of them |
| ``interclip`` | InterHuman | InterCLIP: two transformers, as CLIP's pair |
| ``interx`` | Inter-X | convolutions and recurrent networks, two towers |
| ``words`` | Inter-X | captions as its evaluator reads them |
| ``network`` | all | what their networks have in common |
| ``contrastive`` | either layout | the one that anybody can train, and its loss |
| ``stage``, ``runs`` | either layout | its training and the folder of that |
| ``folder`` | all | saved evaluators |

Networks see tensors, sizes and lengths. The weights that their authors released are read by
`intermask.official`.
"""
