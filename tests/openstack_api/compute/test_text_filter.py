"""Names are filtered as the regular expressions among clients' patterns mean it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.model.errors import YuiError
from tenants.openstack_api.compute.text_filter import text_filter

TEXT = st.text("ab-1.", max_size=8)
PATTERN = st.lists(st.sampled_from(["a", "b", "-", "1", r"\.", ".", ".*"]), max_size=6).map("".join)


@settings(max_examples=60, deadline=None)
@given(TEXT, PATTERN, st.sampled_from(["", "^"]), st.sampled_from(["", "$"]))
def test_it_means_what_a_regular_expression_means(
    text: str, pattern: str, start: str, end: str
) -> None:
    whole = f"{start}{pattern}{end}"
    assert text_filter("name", whole).matches(text) == bool(re.search(whole, text))


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "[ab]", "a|b", "a{1000}", "a?", r"\d", "x" * 256, "a$b"]
)
def test_what_could_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(YuiError) as refused:
        text_filter("name", pattern)
    assert refused.value.status == 400
