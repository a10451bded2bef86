"""Article -> passages: text only, no embeddings, no web."""
