"""Curves, tables and pages made from finished results: pure."""
