"""Tar files, as tests make them."""

import io
import tarfile


def packed(path, files):
    """A tar file of these names and contents."""
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path
