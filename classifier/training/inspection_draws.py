"""Draw text and arrows into images, to measure the input check."""

import random
import string
from dataclasses import dataclass
from pathlib import Path

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
    """Return the image with text, a letter, an arrow, or a ruler.

    Args:
        image: uint8 `(H, W)`.
        chance: Source of the choices.
        fonts: Font files to choose from.
        kind: "text", "letter", "arrow" or "ruler"; "" chooses one.
    """
    picture = Image.fromarray(image)
    layer = Image.new("L", picture.size)
    draw = ImageDraw.Draw(layer)
    kind = kind or chance.choices(("text", "letter", "arrow", "ruler"), (5, 2, 4, 1))[0]
    {"text": _text, "letter": _letter, "arrow": _arrow, "ruler": _ruler}[kind](draw, chance, fonts)
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
