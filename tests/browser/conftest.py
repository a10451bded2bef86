"""Chromium, a server on a free port, and pages to test: shared by every test of what people see."""
