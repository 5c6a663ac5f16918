"""三笠市's systems: two of the catalogue's with their offices, and a portal of its own.

Before: export YUI_URL, and YUI_TOKEN_FILE with a token of the municipality's.
"""

import pulumi

from tenants.pulumi_yui import SecurityGroup, Server, System, Town, Volume

town = Town(
    "mikasa",
    blueprints=["facility-booking"],
    offices={"internet": ["192.168.0.0/16"]},
)

portal = System("portal", zone="lgwan", tier=2)
web = SecurityGroup(
    "portal",
    rules=[
        {"direction": "ingress", "protocol": "tcp", "ports": "80", "offices": True},
        {"direction": "egress"},
    ],
)
server = Server(
    "portal-web",
    system=portal.id,
    flavor="m1.small",
    image="tiny",
    security_groups=[web.id],
    user_data="#cloud-config\ntimezone: Asia/Tokyo\n",
)
Volume("documents", size_gib=2, server=server.id)

pulumi.export("address", server.address)
