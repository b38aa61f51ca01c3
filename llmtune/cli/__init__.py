"""The command line: parse, wire, print."""
