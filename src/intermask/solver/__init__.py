"""Whole-clip least squares on two bodies: what they should meet, all frames and people at once.

| room | holds |
|---|---|
| ``bodies`` | two rigid-boned people over time, and where that puts their joints |
| ``flesh`` | the capsules that stand for bodies, and which of them may not overlap |
| ``terms`` | what a solution should meet: contacts, planted feet, no overlap, joint limits ... |
| ``solve`` | the smooth correction that meets it best |
"""
