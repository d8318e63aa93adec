"""Pictures are found where captures have travelled, and never outside their folder."""

import unicodedata
from pathlib import PurePosixPath

import pytest
from capture_files import write_image

from pvd_engine.data.images.finder import PictureFinder

CASES = {
    "the path itself": ("images/a.png", "images/a.png", False),
    "without an ending": ("images/a", "images/a.png", False),
    "an ending in capitals": ("images/a.PNG", "images/a.png", False),
    "dots": ("./images/../images/a.png", "images/a.png", False),
    "another machine": ("/home/ada/room/images/a.png", "images/a.png", True),
    "Windows": ("D:\\ada\\room\\images\\a.png", "images/a.png", True),
    "another folder": ("../room/images/a.png", "images/a.png", True),
    "a folder twice": ("images/images/a.png", "images/a.png", True),
    "the name alone": ("photos/b.png", "b.png", True),
    "smaller images": ("pictures/c.png", "pictures_4/c.png", True),
    "another machine, smaller images": ("/mnt/pictures/c.png", "pictures_4/c.png", True),
    "another type": ("images/a.jpg", "images/a.png", True),
    "smaller images of another type": ("pictures/c.JPG", "pictures_4/c.png", True),
    "capitals": ("Images/A.png", "images/a.png", True),
    "Unicode": (unicodedata.normalize("NFD", "é.png"), "é.png", True),
    "an address": ("images/two%20words.png", "images/two words.png", True),
    "underscores": ("images/two_words.jpg", "images/two words.png", True),
    "no such picture": ("images/z.png", None, None),
    "two of other types": ("images/twice.bmp", "images/twice.png", True),
    "two that look alike": ("images/ALIKE.png", None, None),
    "a text": ("notes.txt", "notes.txt", False),
    "nothing": ("", None, None),
    "a name that is too long": ("images/" + "n" * 5000, None, None),
}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "room"
    names = ("images/a.png", "b.png", "pictures_4/c.png", "é.png", "images/two words.png")
    for name in (*names, "images/twice.png", "images/twice.jpg", "images/Alike.png"):
        write_image(folder / name)
    write_image(folder / "images" / "alike.webp")
    write_image(tmp_path / "secret" / "s.png")
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.mark.parametrize("case", CASES)
def test_a_picture_is_found_by_what_is_left_of_its_path(folder, case):
    listed, expected, moved = CASES[case]
    found = PictureFinder(folder).find(listed)
    if expected is None:
        assert found is None
    else:
        assert (found.relative, found.moved) == (PurePosixPath(expected), moved)


@pytest.mark.parametrize("listed", ["../secret/s.png", "images/../../secret/s.png", "/{}/s.png"])
def test_nothing_outside_the_folder_is_found(folder, listed):
    listed = listed.format((folder.parent / "secret").as_posix().lstrip("/"))
    assert PictureFinder(folder).find(listed) is None


def test_a_path_within_the_folder_may_be_absolute(folder):
    found = PictureFinder(folder).find(str(folder / "images" / "a.png"))
    assert found.relative == PurePosixPath("images/a.png") and not found.moved
