"""A town's systems as a Python program for Pulumi, over `/v1` alone.

    from tenants.pulumi_yui import Server, System, Town

    town = Town("mikasa", blueprints=["resident-records"])
    portal = System("portal", zone="lgwan", tier=2)
    Server("web", system=portal.id, flavor="m1.small", image="debian-12")

Where the API is and the token stand in YUI_URL and YUI_TOKEN_FILE (YUI_CA_FILE for its certificate), which
are read when something is asked: a stack's state holds neither. `pulumi preview` rehearses each change with
`dry_run`, so that what would be refused is refused before anything is done. Imports nothing else of Yui.
"""

from tenants.pulumi_yui.backup_policies import BackupPolicy
from tenants.pulumi_yui.keypairs import Keypair
from tenants.pulumi_yui.offices import Offices
from tenants.pulumi_yui.security_groups import SecurityGroup
from tenants.pulumi_yui.servers import Server
from tenants.pulumi_yui.systems import System
from tenants.pulumi_yui.town import Town
from tenants.pulumi_yui.volumes import Volume

__all__ = [
    "BackupPolicy",
    "Keypair",
    "Offices",
    "SecurityGroup",
    "Server",
    "System",
    "Town",
    "Volume",
]
