"""Files for people and other programs: arrays, skeletons, bodies, pages, videos, pictures.

Everything here reads a finished `Motion` and changes nothing in it, so all formats show the same
two people.
"""
