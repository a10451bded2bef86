"""Hits -> answer -> people."""
