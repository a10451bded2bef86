"""The reader's recipe: questions of the bank, each without itself, and the questions kept in this folder."""
