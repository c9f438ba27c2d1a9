"""Files for people and other programs: ``.npz``, ``.bvh``, ``.mp4`` and contact sheets.

Everything here reads a finished `Motion` and changes nothing in it, so all formats show the same
two people.
"""
