"""Images inside tar files: found, read and refused as files in a folder are."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image
from tar_files import packed

from vitrail.errors import BadFolder, BadImage
from vitrail.image_files import find_images, read_bytes
from vitrail.images import read_pixels
from vitrail.tars import list_members


def png(grey: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((4, 4), grey, np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def shard(tmp_path):
    return packed(tmp_path / "shard-0.tar", {"dog/2.png": png(20), "dog/1.png": png(10), "dog/1.cls": b"7"})


def test_members_come_in_the_order_of_the_archive(shard):
    assert find_images([shard]) == [shard / "dog/2.png", shard / "dog/1.png"]


def test_a_member_is_read_like_a_file(shard, tmp_path):
    (tmp_path / "1.png").write_bytes(png(10))
    assert read_bytes(shard / "dog/1.png") == png(10)
    split_tar_path, outside = (read_pixels(file, short_side=8) for file in (shard / "dog/1.png", tmp_path / "1.png"))
    assert split_tar_path.equal(outside)


def test_a_member_can_be_named_by_itself(shard):
    assert find_images([shard / "dog/1.png"]) == [shard / "dog/1.png"]


def test_a_folder_without_images_is_looked_through_for_tar_files(shard, tmp_path):
    packed(tmp_path / "shard-1.tar", {"a.png": png(1)})
    assert [file.name for file in find_images([tmp_path])] == ["2.png", "1.png", "a.png"]
    (tmp_path / "own.png").write_bytes(png(5))  # else a backup beside images would count them twice
    assert find_images([tmp_path]) == [tmp_path / "own.png"]
    assert len(find_images([tmp_path / "*.tar"])) == 3


def test_names_that_lead_out_of_the_archive_are_left_out(tmp_path):
    (tmp_path / "secret.png").write_bytes(png(99))
    names = {"../secret.png": png(1), str(tmp_path / "secret.png"): png(2), "b.png": png(3)}
    hostile = packed(tmp_path / "h.tar", names)
    found = find_images([hostile])
    assert [read_bytes(file) for file in found] == [png(2), png(3)]  # never the file outside
    assert all(str(file).startswith(str(hostile)) for file in found)


def test_links_and_folders_in_it_are_no_images(tmp_path):
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo("a.png")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    with pytest.raises(BadFolder, match=r"There is no image in '.*links.tar'"):
        find_images([path])


def test_what_is_wrong_with_a_tar_file_is_one_sentence(shard, tmp_path):
    whole = shard.read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:700])
    (tmp_path / "text.tar").write_bytes(b"not a tar file" * 99)
    with tarfile.open(tmp_path / "small.tar", "w:gz") as archive:
        archive.add(shard, "x")
    for name in ("cut.tar", "text.tar", "small.tar"):
        with pytest.raises(BadFolder, match=f"'{name}' is damaged, or no plain tar file"):
            find_images([tmp_path / name])
    with pytest.raises(BadImage, match="no such file in that tar file"):
        read_bytes(shard / "cat.png")


def test_a_tar_file_that_changes_is_read_anew(shard):
    assert len(list_members(shard)) == 3
    packed(shard, {"only.png": png(3), "padding": b"x" * 9000})
    assert list(list_members(shard)) == ["only.png", "padding"]


def test_hard_links_sparse_and_repeated_members(tmp_path):
    """A link is no image; of a name that is there twice the last counts, as tar itself has it."""
    (tmp_path / "secret.png").write_bytes(png(99))
    with tarfile.open(tmp_path / "h.tar", "w") as archive:
        for grey in (1, 2):
            member = tarfile.TarInfo("twice.png")
            member.size = len(png(grey))
            archive.addfile(member, io.BytesIO(png(grey)))
        for kind, target in ((tarfile.LNKTYPE, str(tmp_path / "secret.png")), (tarfile.SYMTYPE, "/etc/passwd")):
            member = tarfile.TarInfo(f"link{kind.decode()}.png")
            member.type, member.linkname = kind, target
            archive.addfile(member)
        for kind in (tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE):
            member = tarfile.TarInfo(f"odd{kind.decode()}.png")
            member.type, member.size = kind, 0
            archive.addfile(member)
    found = find_images([tmp_path / "h.tar"])
    assert [file.name for file in found if "odd7" not in file.name] == ["twice.png"]  # 7: kept in one piece, a file
    assert read_bytes(found[0]) == png(2)


def test_a_header_that_says_more_than_there_is(tmp_path):
    with tarfile.open(tmp_path / "h.tar", "w") as archive:
        member = tarfile.TarInfo("large.png")
        member.size = 8**11 - 1  # 8 GB, the most that a plain header can say
        archive.fileobj.write(member.tobuf())
    with pytest.raises((BadFolder, BadImage)):
        read_bytes(tmp_path / "h.tar" / "large.png")
