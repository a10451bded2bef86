"""What the chat page is made of: HTML written by `render`, a style sheet and a script."""
