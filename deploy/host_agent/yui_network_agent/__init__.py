"""Makes a host's network what the control plane's plan for it says, and keeps it so without it.

A package of a few files that needs nothing but Python 3.10, iproute2 and nftables, because it is
installed on every host. It shares no code with the control plane; run it as
`python3 -m yui_network_agent --config FILE` from the folder that holds it.
"""
