"""The interface that members' tools already speak: OpenStack's, over the same services as `/v1`.

A client signs in at `/openstack/identity/v3` and finds in the catalogue, for each region, the endpoints
below `/openstack/regions/<region>/`. Routes here read and write OpenStack's shapes and call the
services that `/v1` calls: nothing is decided here, and nothing is kept that `/v1` can't show.
"""
