"""Draw text and markings into images, to train the input check and to measure it."""

import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

UInt8Array = npt.NDArray[np.uint8]

NAMES = ("SMITH", "JOHN", "MARIA", "GARCIA", "MUELLER", "ANNA", "WEI", "CHEN", "IVANOVA", "KIM")
WORDS = ("T1", "T2 FLAIR", "SE", "TR 500", "FLIP 15", "FOV 24", "AX", "SAG", "COR", "GD", "IM", "HOSPITAL", "5.0 mm")


@dataclass(frozen=True, slots=True)
class Marked:
    """An image with markings.

    Attributes:
        image: uint8 `(H, W)`.
        mask: bool `(H, W)`, the pixels that the markings changed.
    """

    image: UInt8Array
    mask: npt.NDArray[np.bool_]


def marked(image: UInt8Array, *, chance: random.Random, fonts: tuple[Path, ...], kind: str = "") -> Marked:
    """Return the image with text or markings.

    Args:
        image: uint8 `(H, W)`.
        chance: Source of the choices.
        fonts: Font files to choose from.
        kind: A key of `KINDS`; "" chooses one.
    """
    picture = Image.fromarray(image)
    layer = Image.new("L", picture.size)
    draw = ImageDraw.Draw(layer)
    kind = kind or chance.choices(list(KINDS), [share for share, _ in KINDS.values()])[0]
    KINDS[kind][1](draw, chance, fonts)
    drawn = np.asarray(layer, np.float32) / 255.0
    values = np.asarray(image, np.float32)
    level = chance.uniform(150, 255)
    if kind == "arrow" and chance.random() < 0.2:
        level = 0.0
    result = np.clip(values * (1 - drawn) + level * drawn, 0, 255).astype(np.uint8)
    return Marked(result, np.abs(result.astype(np.float32) - values) > 40)


def _font(chance: random.Random, fonts: tuple[Path, ...], size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(chance.choice(fonts)), round(size))


def _line(chance: random.Random) -> str:
    kind = chance.randrange(5)
    if kind == 0:
        return f"{chance.choice(NAMES)} {chance.choice(NAMES)}"
    if kind == 1:
        return f"{chance.randint(1, 28):02d}.{chance.randint(1, 12):02d}.{chance.randint(1930, 2020)}"
    if kind == 2:
        return f"{chance.choice(WORDS)} {chance.randint(1, 999)}"
    if kind == 3:
        return f"{chance.choice(WORDS)} {chance.choice(WORDS)}"
    return "".join(chance.choices(string.ascii_uppercase + string.digits, k=chance.randint(4, 10)))


def _text(draw: ImageDraw.ImageDraw, chance: random.Random, fonts: tuple[Path, ...]) -> None:
    width, height = draw.im.size
    size = chance.uniform(0.032, 0.075) * height
    font = _font(chance, fonts, size)
    lines = [_line(chance) for _ in range(chance.choice((1, 1, 2, 3, 4)))]
    longest = max(draw.textlength(line, font=font) for line in lines)
    left = chance.random() < 0.5
    top = chance.random() < 0.5
    margin = chance.uniform(0.01, 0.04) * height
    x = margin if left else max(0.0, width - margin - longest)
    y = margin if top else height - margin - 1.2 * size * len(lines)
    for number, line in enumerate(lines):
        draw.text((x, y + 1.2 * size * number), line, fill=255, font=font)


def _letter(draw: ImageDraw.ImageDraw, chance: random.Random, fonts: tuple[Path, ...]) -> None:
    width, height = draw.im.size
    font = _font(chance, fonts, chance.uniform(0.05, 0.1) * height)
    x = chance.choice((chance.uniform(0.01, 0.06), chance.uniform(0.88, 0.93))) * width
    y = chance.uniform(0.1, 0.85) * height
    draw.text((x, y), chance.choice("RLAPHFS"), fill=255, font=font)


def _arrow(draw: ImageDraw.ImageDraw, chance: random.Random, _: tuple[Path, ...]) -> None:
    width, height = draw.im.size
    for _number in range(chance.choice((1, 1, 2))):
        tip = np.array([chance.uniform(0.25, 0.75) * width, chance.uniform(0.25, 0.75) * height])
        angle = chance.uniform(0, 2 * np.pi)
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        length, head = chance.uniform(0.07, 0.2) * height, chance.uniform(0.03, 0.06) * height
        thick = max(1, round(chance.uniform(0.006, 0.016) * height))
        draw.line((*(tip - along * head * 0.8), *(tip - along * length)), fill=255, width=thick)
        corners = (tip, tip - along * head + across * head * 0.45, tip - along * head - across * head * 0.45)
        draw.polygon([tuple(float(value) for value in corner) for corner in corners], fill=255)


def _ruler(draw: ImageDraw.ImageDraw, chance: random.Random, _: tuple[Path, ...]) -> None:
    width, height = draw.im.size
    x = chance.uniform(0.01, 0.05) * width if chance.random() < 0.5 else chance.uniform(0.94, 0.98) * width
    top, bottom = chance.uniform(0.15, 0.35) * height, chance.uniform(0.65, 0.85) * height
    draw.line((x, top, x, bottom), fill=255, width=max(1, round(0.004 * height)))
    for y in np.linspace(top, bottom, 11):
        draw.line((x - 0.01 * width, y, x + 0.015 * width, y), fill=255, width=max(1, round(0.004 * height)))


def _note(draw: ImageDraw.ImageDraw, chance: random.Random, fonts: tuple[Path, ...]) -> None:
    """Write a word or a number anywhere, over the head as well."""
    width, height = draw.im.size
    text = chance.choice((_line(chance), str(chance.randint(1, 99)), f"{chance.uniform(1, 60):.1f} mm"))
    font = _font(chance, fonts, chance.uniform(0.032, 0.08) * height)
    draw.text((chance.uniform(0.05, 0.75) * width, chance.uniform(0.05, 0.9) * height), text, fill=255, font=font)


def _shape(draw: ImageDraw.ImageDraw, chance: random.Random, _: tuple[Path, ...]) -> None:
    """Draw a circle, a box, a cross, or a distance between two crosses."""
    width, height = draw.im.size
    x, y = chance.uniform(0.2, 0.8) * width, chance.uniform(0.2, 0.8) * height
    size, thick = chance.uniform(0.03, 0.15) * height, max(1, round(chance.uniform(0.004, 0.012) * height))
    kind = chance.randrange(4)
    box = (x - size, y - size * chance.uniform(0.6, 1.0), x + size, y + size * chance.uniform(0.6, 1.0))
    if kind == 0:
        draw.ellipse(box, outline=255, width=thick)
        return
    if kind == 1:
        draw.rectangle(box, outline=255, width=thick)
        return
    angle = chance.uniform(0, 2 * np.pi)
    ends = [(x, y), (x + 2 * size * np.cos(angle), y + 2 * size * np.sin(angle))][: kind - 1]
    arm = 0.02 * height
    for end_x, end_y in ends:
        draw.line((end_x - arm, end_y, end_x + arm, end_y), fill=255, width=thick)
        draw.line((end_x, end_y - arm, end_x, end_y + arm), fill=255, width=thick)
    if len(ends) == 2 and chance.random() < 0.6:
        draw.line((*ends[0], *ends[1]), fill=255, width=thick)


Draw = Callable[[ImageDraw.ImageDraw, random.Random, tuple[Path, ...]], None]
KINDS: Final[dict[str, tuple[int, Draw]]] = {
    "text": (5, _text),
    "letter": (3, _letter),
    "arrow": (6, _arrow),
    "ruler": (1, _ruler),
    "note": (2, _note),
    "shape": (2, _shape),
}
"""Every kind of drawing with its share and its function."""
