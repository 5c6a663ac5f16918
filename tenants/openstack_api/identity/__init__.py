"""Identity v3: clients sign in with what Yui gave them, and learn where everything else is."""
