"""`python -m control_plane.cli` is `yui` where the console script is not on the path."""

from control_plane.cli.main import main

main()
