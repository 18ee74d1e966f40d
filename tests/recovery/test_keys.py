import io
import tarfile
from pathlib import Path

import pytest
import samples

from haplane.errors import BadInput, Refused
from haplane.recovery.keys import identity_from_directory, identity_from_sealed


def place(root: Path) -> None:
    for path, content in samples.identity().to_files().items():
        file = root / Path(path).relative_to("/etc/kubernetes")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


@pytest.mark.parametrize("below", [".", "etc/kubernetes"])
def test_a_copy_of_a_masters_directory_is_a_whole_identity(tmp_path, below):
    place(tmp_path / below)
    assert identity_from_directory(tmp_path) == samples.identity()


def test_a_copy_that_lacks_files_names_them(tmp_path):
    place(tmp_path)
    (tmp_path / "pki" / "sa.key").unlink()
    with pytest.raises(BadInput) as error:
        identity_from_directory(tmp_path)
    assert "/etc/kubernetes/pki/sa.key" in error.value.why


@pytest.mark.parametrize("prefix", ["", "./"])
def test_sealed_keys_are_a_whole_identity(prefix):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in samples.identity().to_files().items():
            member = tarfile.TarInfo(prefix + path.lstrip("/"))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    assert identity_from_sealed(buffer.getvalue(), "x") == samples.identity()
    with pytest.raises(Refused):
        identity_from_sealed(buffer.getvalue()[:700], "x")
