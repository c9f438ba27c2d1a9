"""Everyday interactions of two people, made from declarations and a bank of captured motion."""
