"""Ways to stand Yui up: so far, a whole pool of hosts on one machine."""
