import numpy as np
import pytest
from PIL import Image, ImageDraw

from classifier.training.heads import LEAST_SYMMETRY, MASK_SIDE, MirrorAxis, brain_mask, head_mask, mirror_axis


def drawn(*, angle=0.0, eyes=True, size=200):
    picture = Image.new("L", (size, size))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((40, 20, 160, 180), fill=120)
    if eyes:
        for x in (65, 115):
            pen.ellipse((x, 50, x + 20, 70), fill=230)
    return np.asarray(picture.rotate(angle, Image.Resampling.BILINEAR))


def test_the_head_is_found_with_its_dark_inside():
    pixels = drawn().copy()
    pixels[90:110, 90:110] = 0
    mask = head_mask(pixels)
    assert mask[MASK_SIDE // 2, MASK_SIDE // 2]
    assert not mask[2, 2]
    assert mask.mean() == pytest.approx(np.pi * 60 * 80 / 200**2, rel=0.08)


def test_an_eroded_head_is_smaller_and_inside():
    head = head_mask(drawn())
    shallow, deep = brain_mask(head, depth=0.06), brain_mask(head, depth=0.14)
    assert head.sum() > shallow.sum() > deep.sum() > 0
    assert not (deep & ~head).any()


@pytest.mark.parametrize("angle", [-8.0, 0.0, 8.0])
def test_the_axis_of_a_turned_head_is_found(angle):
    axis = mirror_axis(drawn(angle=angle))
    assert axis.symmetry >= LEAST_SYMMETRY
    assert np.rad2deg(axis.angle) == pytest.approx(-angle, abs=4.1)


def test_a_reflection_is_its_own_inverse():
    axis = MirrorAxis(0.1, 0.02, 1.0)
    pixels = drawn(angle=-6)
    twice = axis.reflect(axis.reflect(pixels)).astype(int)
    assert np.abs(twice - pixels).mean() < 3


def test_an_upright_reflection_mirrors_left_and_right():
    pixels = drawn().copy()
    pixels[100:120, 50:70] = 255
    reflected = MirrorAxis(0.0, 0.0, 1.0).reflect(pixels)
    assert reflected[110, 200 - 60 - 1] == 255
    assert reflected[110, 60] != 255
