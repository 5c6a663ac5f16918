"""The story that shows what Yui is for: systems of real members survive the death of a host."""
