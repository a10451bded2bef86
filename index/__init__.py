"""Passages -> vectors -> hits: numpy and faiss, no web."""
