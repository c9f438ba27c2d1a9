"""Sixteen everyday interactions, and two people who just stand there."""
