"""Measured quality and speed: retrieval, answers, latency."""
