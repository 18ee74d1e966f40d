import pytest

from haplane.bundle.image import make_layer, write_image
from haplane.errors import HaplaneError
from haplane.sources.image import extract_program


def test_a_program_comes_out_of_an_image_as_it_went_in(tmp_path):
    (tmp_path / "program").write_bytes(b"#!/bin/sh\necho hello\n")
    (tmp_path / "other").write_bytes(b"x")
    layers = [make_layer({f"/usr/local/bin/{name}": tmp_path / name}, tmp_path) for name in ("program", "other")]
    write_image(tmp_path / "image.tar", "example/image:1", layers, ["program"], "amd64")
    extract_program(tmp_path / "image.tar", "program", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "program").read_bytes()
    with pytest.raises(HaplaneError, match="holds no kubelet"):
        extract_program(tmp_path / "image.tar", "kubelet", tmp_path / "out")
