"""The words of Yui as values: pure types that do no I/O, read no clock and draw no randomness."""
