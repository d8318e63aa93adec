"""Links of the docs lead somewhere, and pages that the sources name exist."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from docs import list_keys, list_options
from pvd_engine.cli import VERBS
from pvd_engine.data.readers import FORMATS
from pvd_engine.verbs.option_kinds import option_name

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = ("pvd_engine", "pvd_blender", "examples", "tests")


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_reached_from_the_readme():
    reached, waiting = set(), [PAGES[0]]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        waiting += [(page.parent / link).resolve() for link in links]
    assert {page for page in PAGES if page.name != "CHANGELOG.md"} - reached == set()


def test_pages_that_the_sources_name_exist():
    named = {
        (path.relative_to(ROOT).as_posix(), page)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        for page in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8"))
    }
    assert named
    assert [(file, page) for file, page in sorted(named) if not (ROOT / page).is_file()] == []


def test_modules_that_the_pages_name_exist():
    """A page may name a module by its path in the repository or within one of the programs."""
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for name in re.findall(r"`([\w/-]+/[\w-]+\.py)`", text):
            places = (ROOT / name, *(ROOT / folder / name for folder in FOLDERS))
            assert any(place.is_file() for place in places), (page.name, name)


def test_the_page_about_datasets_lists_the_keys_of_every_format():
    shown = list_keys.PAGE.read_text(encoding="utf-8")
    assert shown == list_keys.page(), "run python -m docs.list_keys"
    assert all(f"### {kind.name}\n" in shown for kind in FORMATS if kind.keys)
    assert {kind.name for kind in FORMATS if not kind.keys} == {"NeRF-Synthetic"}


def test_the_page_for_script_writers_lists_the_options_of_convert():
    shown = list_options.PAGE.read_text(encoding="utf-8")
    assert shown == list_options.page(), "run python -m docs.list_options"
    assert all(f"| `{name}` |" in shown for name in ("max_size", "stages", "fine_tune"))


def test_the_command_lines_of_the_readme_name_every_verb_and_options_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^ {4}pvd (\w+)(.*)$", text, flags=re.MULTILINE)
    assert {verb for verb, _ in shown} == set(VERBS)
    for verb, words in shown:
        options = {option_name(field.name) for field in fields(VERBS[verb].arguments)}
        assert set(re.findall(r"--[\w-]+", words.split("#")[0])) <= options, verb
