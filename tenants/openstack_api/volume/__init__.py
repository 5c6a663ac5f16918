"""Block Storage v3 (Cinder): members' volumes, as Yui keeps them."""
