"""Pages of reports: what they are given stands in them escaped, and all of it."""

import jinja2
import numpy as np
import pytest

from clothseg.training.pages import render_page


def test_values_are_escaped_and_pictures_are_inside_the_page() -> None:
    case = ('a"<b>', np.zeros((4, 4, 3), np.uint8), [("garments", 0.5)])
    page = render_page("cases.html", {"title": "<i>", "garments": ["top"], "cases": [case]})
    assert "<title>&lt;i&gt;</title>" in page
    assert 'data-name="a&#34;&lt;b&gt;" data-garments="0.5000"' in page
    assert 'src="data:image/jpeg;base64,' in page
    assert "http" not in page


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="garments"):
        render_page("cases.html", {"title": "", "cases": []})
