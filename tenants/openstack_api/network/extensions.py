"""Neutron's extensions that hold here: their aliases, names and dates are Neutron's own
(neutron-lib, `api/definitions`; `quotas` and `security-group`: neutron, `extensions`)."""

from __future__ import annotations

from typing import Any


def _extension(alias: str, name: str, description: str, updated: str) -> dict[str, Any]:
    return {
        "alias": alias,
        "name": name,
        "description": description,
        "updated": updated,
        "links": [],
    }


EXTENSIONS: tuple[dict[str, Any], ...] = (
    _extension(
        "address-group",
        "Address group",
        "One group, `offices`: where the member's offices are",
        "2020-07-15T10:00:00-00:00",
    ),
    _extension(
        "external-net",
        "Neutron external network",
        "Networks say that they are not external",
        "2013-01-14T10:00:00-00:00",
    ),
    _extension(
        "filter-validation",
        "Filter parameters validation",
        "Lists refuse filters that they don't know",
        "2018-07-04T10:00:00-00:00",
    ),
    _extension(
        "pagination",
        "Pagination support",
        "Lists have pages",
        "2016-06-12T00:00:00-00:00",
    ),
    _extension(
        "port-security-groups-filtering",
        "Port filtering on security groups",
        "Ports are found by their security groups",
        "2018-01-09T09:00:00-00:00",
    ),
    _extension(
        "project-id",
        "project_id field enabled",
        "Things have project_id beside tenant_id",
        "2016-09-09T09:09:09-09:09",
    ),
    _extension(
        "quota_details",
        "Quota details management support",
        "Quotas tell what is used of them",
        "2017-02-10T10:00:00-00:00",
    ),
    _extension(
        "quotas",
        "Quota management support",
        "Projects read their quotas",
        "2012-07-29T10:00:00-00:00",
    ),
    _extension(
        "security-group",
        "security-group",
        "Security groups and their rules",
        "2012-10-05T10:00:00-00:00",
    ),
    _extension(
        "security-groups-normalized-cidr",
        "Normalized CIDR field for security group rules",
        "Rules tell the network of their remote_ip_prefix",
        "2020-07-28T10:00:00-00:00",
    ),
    _extension(
        "security-groups-remote-address-group",
        "Remote address group id field for security group rules",
        "Rules may mean the offices as the other side",
        "2020-08-25T10:00:00-00:00",
    ),
    _extension(
        "security-groups-shared-filtering",
        "Security group filtering on the shared field",
        "Security groups are not shared and say so",
        "2021-10-05T09:00:00-00:00",
    ),
    _extension(
        "sorting",
        "Sorting support",
        "Lists are sorted",
        "2016-06-12T00:00:00-00:00",
    ),
    _extension(
        "stateful-security-group",
        "Stateful security group",
        "Answers pass by themselves",
        "2019-11-26T09:00:00-00:00",
    ),
    _extension(
        "yui-zone",
        "Zones of municipalities",
        "Networks say in `yui:zone` which zone they are: mynumber, lgwan or internet",
        "2026-11-21T00:00:00-00:00",
    ),
)
