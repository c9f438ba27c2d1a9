"""Reports as a page and as Markdown: every fact is there, and nothing is fetched."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from markdown_it import MarkdownIt

from example_report import example_report, write_samples
from intermask.errors import UserError
from intermask.evaluation.report_markdown import write_markdown
from intermask.evaluation.report_page import write_page
from intermask.evaluation.report_plots import Line, bar_panel, interval_panel
from intermask.evaluation.samples import read_sample, write_sample
from intermask.evaluation.terms import METRICS, PHYSICS
from walking import walking_pair

VOID = {"meta", "input", "br", "line", "circle", "rect"}


class Elements(HTMLParser):
    """Checks that elements are closed in order, and collects them and what they say."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open[-1:] == ["script"] else self.text).append(data)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return example_report()


@pytest.fixture(scope="module")
def source(report: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    write_samples(report, folder)
    return write_page(report, folder).read_text("utf-8")


@pytest.fixture(scope="module")
def parsed(source: str) -> Elements:
    elements = Elements()
    elements.feed(source)
    elements.close()
    return elements


def test_elements_are_closed_and_named_once(parsed: Elements) -> None:
    assert not parsed.open
    names = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(names) == len(set(names))
    links = [attributes["href"] for tag, attributes in parsed.elements if tag == "a"]
    assert {str(link).removeprefix("#") for link in links} <= set(names)


def test_page_fetches_nothing(source: str, parsed: Elements) -> None:
    assert not re.search(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", source.lower())
    assert not [tag for tag, _ in parsed.elements if tag in ("link", "img", "iframe", "object")]
    assert not [attributes for _, attributes in parsed.elements if "src" in attributes]
    policy = dict(parsed.elements[3][1])
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert str(policy["content"]).startswith("default-src 'none'")


def test_every_row_number_and_fact_is_on_the_page(report: dict[str, Any], parsed: Elements) -> None:
    text = " ".join(parsed.text)
    for row in report["rows"]:
        assert row["name"] in text
        for term in METRICS:
            if term.key in row["metrics"]:
                assert f"{row['metrics'][term.key]['mean']:.3f} ±" in text
        for term in PHYSICS:
            if term.key in row["physics"]:
                assert f"{term.shown(row['physics'][term.key]['mean'])} ±" in text
    for term in PHYSICS:
        assert term.label in text
    for each in report["audit"]:
        assert each["says"] in text
    for each in (*report["samples"]["worst"], *report["samples"]["best"]):
        assert each["caption"] in text
    for fact in (*report["protocol"]["why_not"], "12ab", "34cd", "56ef", "2.13.0"):
        assert fact in text
    for fact in ("0.971", "41.2", "512, 480", "101.1, 202.2", "77 (99.1 mm)"):
        assert fact in text
    assert "rival <b> has no motion for 3 clips" in text
    assert "21.3 cm" in text and "3 of 100 motions" in text


def test_protocol_is_stated_plainly(report: dict[str, Any], tmp_path: Path) -> None:
    official = report | {"protocol": report["protocol"] | {"official": True, "why_not": []}}
    for text in (write_markdown(official), write_page(official, tmp_path).read_text("utf-8")):
        assert "This is the official protocol" in text
    for text in (write_markdown(report), write_page(report, tmp_path).read_text("utf-8")):
        assert "This is not the official protocol" in text


def test_motions_on_the_page_are_those_of_the_files(parsed: Elements) -> None:
    book = json.loads(parsed.scripts[0])
    assert len(book["samples"]) == 2 and len(book["bones"]) == 21
    generated, real = book["samples"][0]["motions"]
    assert generated["frames"] == real["frames"] == 20
    metres = np.frombuffer(base64.b64decode(real["data"]), "<i2").reshape(2, 20, 22, 3) / 1000
    # millimetres of float16: a metre has 2^10 steps below 2
    np.testing.assert_allclose(metres, walking_pair(20).positions.numpy(), atol=2.5e-3)
    cards = [attributes for _, attributes in parsed.elements if "data-sample" in attributes]
    assert [card["data-sample"] for card in cards] == ["0", "1"]


def test_missing_sample_files_are_named(report: dict[str, Any], tmp_path: Path) -> None:
    text = write_page(report, tmp_path).read_text("utf-8")
    assert "1234 (worst) does not play" in text
    assert 'id="motions"' not in text


def test_a_report_of_few_parts_is_a_page(tmp_path: Path) -> None:
    """Optional parts are left out, and the page says nothing of them."""
    whole = example_report()
    rows = [
        {"name": row["name"], "metrics": row["metrics"], "physics": {}} for row in whole["rows"]
    ]
    few = {"protocol": whole["protocol"], "rows": rows[:1], "audit": None, "tokenizer": None}
    text = write_page(few, tmp_path).read_text("utf-8")
    assert "Physics" not in text and "Tokenizer" not in text and "What the evaluator" not in text
    assert write_markdown(few).startswith("# Evaluation of ground truth")


def test_older_reports_have_a_page_too(report: dict[str, Any], tmp_path: Path) -> None:
    """Their physical metrics are numbers of one replication."""
    rows = [
        row | {"physics": {key: found["mean"] for key, found in row["physics"].items()}}
        for row in report["rows"]
    ]
    older = report | {"rows": rows, "schema_version": 1}
    jerk = next(term for term in PHYSICS if term.key == "jerk")
    shown = jerk.shown(rows[0]["physics"]["jerk"])
    assert f"<td>{shown}</td>" in write_page(older, tmp_path).read_text("utf-8")
    assert f"| {shown} |" in write_markdown(older)


def test_script_is_javascript() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    with resources.as_file(
        resources.files("intermask.evaluation").joinpath("page", "player.js")
    ) as script:
        subprocess.run([node, "--check", script], check=True, timeout=60)


def test_markdown_holds_the_same_tables(report: dict[str, Any]) -> None:
    text = write_markdown(report)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [token.children for token in tokens if token.type == "inline"]
    shown = {"".join(child.content for child in children or []) for children in inline}
    for row in report["rows"]:
        assert row["name"] in shown
        for term in METRICS:
            if term.key in row["metrics"]:
                interval = row["metrics"][term.key]
                assert f"{interval['mean']:.3f} ± {interval['half_width']:.3f}" in shown
    assert "one person isn't <near> the other & waves." in shown
    assert {"12ab", "34cd", "56ef", "41.2", "101.1, 202.2"} <= shown
    assert "rival <b> has no motion for 3 clips" in shown
    assert "21.3 cm from the nearest training clip" in text
    assert not [token for token in tokens if token.type == "html_block"]


def test_intervals_are_drawn_to_scale() -> None:
    """Twice the distance on the axis is twice the distance in the picture."""
    fid = next(term for term in METRICS if term.key == "fid")
    lines = [Line("a", 0.0), Line("b", 1.0, 0.5, (0.5, 1.5)), Line("c", 4.0)]
    panel = interval_panel(fid, lines, important="b", truth=2.0)
    places = [float(x) for x in re.findall(r'class="dot" cx="([\d.]+)"', panel)]
    assert places[2] - places[0] == pytest.approx(4 * (places[1] - places[0]), abs=0.3)
    first, last = map(float, re.findall(r'class="interval" x1="([\d.]+)" x2="([\d.]+)"', panel)[0])
    assert last - first == pytest.approx(places[1] - places[0], abs=0.3)
    truth = float(re.findall(r'class="truth" x1="([\d.]+)"', panel)[0])
    assert truth == pytest.approx((places[0] + places[2]) / 2, abs=0.2)


def test_bars_begin_at_zero() -> None:
    together = next(term for term in PHYSICS if term.key == "person_correlation")
    panel = bar_panel(together, [Line("a", -0.5), Line("b", 0.5), Line("c", 0.0)])
    whiskers = bar_panel(together, [Line("a", 0.3, 0.2, (0.1, 0.5))])
    first, last = map(
        float, re.findall(r'class="interval" x1="([\d.]+)" x2="([\d.]+)"', whiskers)[0]
    )
    (bar,) = re.findall(r'x="([\d.]+)" y="\d+" width="([\d.]+)"', whiskers)
    assert sum(map(float, bar)) == pytest.approx((first + last) / 2, abs=0.3)
    bars = [
        tuple(map(float, bar))
        for bar in re.findall(r'x="([\d.]+)" y="\d+" width="([\d.]+)"', panel)
    ]
    assert bars[0][0] + bars[0][1] == pytest.approx(bars[1][0], abs=0.2)
    assert bars[0][1] == pytest.approx(bars[1][1], abs=0.2)
    assert bars[2][1] == 1.0


def test_equal_numbers_have_a_scale() -> None:
    fid = next(term for term in METRICS if term.key == "fid")
    for value in (0.0, 3.0, -2.0, 1e-12):
        assert "nan" not in interval_panel(fid, [Line("a", value), Line("b", value)])


def test_samples_keep_positions_of_features_too(tmp_path: Path) -> None:
    features = torch.zeros(2, 8, 262)
    features[..., 1] = 0.9
    write_sample(tmp_path / "a.safetensors", features)
    pair = read_sample(tmp_path / "a.safetensors")
    assert pair.generated.shape == (2, 8, 22, 3) and pair.real is None
    assert float(pair.generated[0, 0, 0, 1]) == pytest.approx(0.9, abs=1e-3)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"no")
    with pytest.raises(UserError, match="no sample of an evaluation"):
        read_sample(tmp_path / "a.safetensors")
    with pytest.raises(UserError, match=r"shape \(2, 4, 5\)"):
        write_sample(tmp_path / "b.safetensors", torch.zeros(2, 4, 5))
