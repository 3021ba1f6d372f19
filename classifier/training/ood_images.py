"""Images that are not brain MR, to test refusal with: from packages that ship pictures, and made on the spot."""

import importlib
import importlib.util
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from classifier.inference.preprocessing import UInt8Array

FAR, NEAR, NORMAL = "far", "near", "normal"


@dataclass(frozen=True, slots=True)
class OodImage:
    """One picture.

    Attributes:
        name: Where it comes from.
        kind: `far` (no brain MR), `near` (a brain MR corrupted beyond use) or `normal` (a true normal brain).
        family: Group of similar pictures, such as `photograph`.
        pixels: uint8 `(H, W)`.
    """

    name: str
    kind: str
    family: str
    pixels: UInt8Array


PICTURE_FOLDERS: tuple[tuple[str, str, str], ...] = (
    ("skimage", "data", "photograph"),
    ("sklearn", "datasets/images", "photograph"),
    ("matplotlib", "mpl-data/sample_data", "photograph"),
)
DRAWN = {"page", "text", "logo", "logo2", "color", "horse", "checker", "chessboard_GRAY", "chessboard_RGB"}
NOT_OOD = {"phantom"}
"""A schematic head: drawn to look like a brain slice."""


def collect() -> tuple[list[OodImage], list[str]]:
    """Gather every picture that is available here.

    Returns:
        The pictures, and the names of packages that are not installed (their pictures are missing).
    """
    pictures: list[OodImage] = []
    missing = []
    sources: tuple[tuple[str, Callable[[Path], Iterator[OodImage]]], ...] = (
        *((package, _folder_reader(folder, family)) for package, folder, family in PICTURE_FOLDERS),
        ("pydicom", _dicom_pictures),
        ("nilearn", _normal_brains),
    )
    for package, reader in sources:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            missing.append(package)
            continue
        pictures += reader(Path(spec.origin).parent)
    return [*pictures, *synthetic()], missing


def synthetic(*, seed: int = 0) -> list[OodImage]:
    """Blank pictures, noise, pages of text, charts, interface screenshots and shapes."""
    rng = np.random.default_rng(seed)
    made: list[tuple[str, str, UInt8Array]] = []
    for level in (0, 40, 128, 255):
        made.append((f"blank {level}", "blank", np.full((256, 256), level, np.uint8)))
    for index in range(6):
        noise = rng.normal(128, 20 + 15 * index, (256, 256))
        made.append((f"noise {index}", "noise", np.clip(noise, 0, 255).astype(np.uint8)))
        coarse = Image.fromarray(rng.integers(0, 256, (4 + 3 * index,) * 2).astype(np.uint8))
        made.append((f"clouds {index}", "noise", np.asarray(coarse.resize((256, 256), Image.Resampling.BICUBIC))))
        made.append((f"page {index}", "text", _page(rng, dark=index % 2 == 1)))
        made.append((f"chart {index}", "drawing", _chart(rng)))
        made.append((f"window {index}", "screenshot", _window(rng)))
        made.append((f"shapes {index}", "drawing", _shapes(rng)))
    ramp = np.tile(np.linspace(0, 255, 256), (256, 1)).astype(np.uint8)
    made += [("ramp", "blank", ramp), ("stripes", "drawing", np.uint8(255) * (ramp // 16 % 2))]
    return [OodImage(name, FAR, family, pixels) for name, family, pixels in made]


def corrupted(images: list[UInt8Array]) -> list[OodImage]:
    """Brain MR corrupted beyond use: inverted, cropped to a corner, smeared, or cut to a strip."""
    pictures = []
    for index, image in enumerate(images):
        height, width = image.shape
        corner = image[height // 3 : height // 3 + height // 6, width // 3 : width // 3 + width // 6]
        strip = image[height // 2 : height // 2 + height // 12]
        smeared = Image.fromarray(image).resize((8, 8)).resize((256, 256))
        for family, pixels in (
            ("inverted", 255 - image),
            ("cropped", np.ascontiguousarray(corner)),
            ("strip", np.ascontiguousarray(strip)),
            ("smeared", np.asarray(smeared)),
        ):
            pictures.append(OodImage(f"{family} {index}", NEAR, family, pixels))
    return pictures


def _folder_reader(folder: str, family: str) -> Callable[[Path], Iterator[OodImage]]:
    def read(package: Path) -> Iterator[OodImage]:
        for path in sorted((package / folder).glob("*")):
            if path.suffix.lower() not in {".png", ".jpg", ".jpeg"} or path.stem in NOT_OOD:
                continue
            with Image.open(path) as image:
                pixels = np.asarray(ImageOps.grayscale(image.convert("RGB")))
            kind = "drawing" if path.stem in DRAWN else family
            for index, part in enumerate(_tiles(pixels) if kind == family else [pixels]):
                yield OodImage(f"{package.name}/{path.name}#{index}", FAR, kind, part)

    return read


def _tiles(pixels: UInt8Array) -> list[UInt8Array]:
    """Return the photograph and its four quarters: few are shipped, and quarters show other things."""
    y, x = (side // 2 for side in pixels.shape)
    quarters = (pixels[:y, :x], pixels[:y, x:], pixels[y:, :x], pixels[y:, x:])
    return [pixels, *(np.ascontiguousarray(quarter) for quarter in quarters)]


DICOM_PICTURES = {
    "CT_small.dcm": "other body part or CT",
    "liver_1frame.dcm": "other body part or CT",
    "JPEG2000.dcm": "other body part or CT",
    "examples_rgb_color.dcm": "other body part or CT",
    "examples_ybr_color.dcm": "other body part or CT",
    "SC_rgb_small_odd.dcm": "drawing",
    "693_J2KI.dcm": "other body part or CT",
}


def _dicom_pictures(package: Path) -> Iterator[OodImage]:
    import pydicom

    for name, family in DICOM_PICTURES.items():
        path = package / "data" / "test_files" / name
        if not path.is_file():
            continue
        try:
            array = np.asarray(pydicom.dcmread(path).pixel_array, np.float32)
        except (AttributeError, NotImplementedError, RuntimeError, ValueError):
            continue  # Its decoder is not installed; the picture is simply not among those tested.
        array = array[0] if array.ndim == 4 else array
        flat = array.mean(axis=-1) if array.ndim == 3 and array.shape[-1] in (3, 4) else array
        plane = flat[0] if flat.ndim == 3 else flat
        low, high = np.percentile(plane, [1, 99])
        yield OodImage(f"pydicom/{name}", FAR, family, _grey((plane - low) / max(high - low, 1e-6)))


def _normal_brains(package: Path) -> Iterator[OodImage]:
    """Slices of the MNI152 template in three planes: a true normal brain from no source of the training images."""
    path = package / "datasets" / "data" / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
    if not path.is_file() or importlib.util.find_spec("nibabel") is None:
        return
    nibabel = importlib.import_module("nibabel")
    volume = np.asarray(nibabel.load(path).dataobj, np.float32)
    volume /= np.percentile(volume, 99.7)
    for axis, plane in enumerate(("sagittal", "coronal", "axial")):
        for share in (0.35, 0.42, 0.5, 0.58, 0.65):
            piece = np.take(volume, int(share * volume.shape[axis]), axis=axis)
            yield OodImage(f"MNI152 {plane} {share:.2f}", NORMAL, plane, _grey(_square(np.rot90(piece))))


def _square(plane: np.ndarray) -> np.ndarray:
    side = int(max(plane.shape) * 1.1)
    canvas = np.zeros((side, side), np.float32)
    y, x = (side - plane.shape[0]) // 2, (side - plane.shape[1]) // 2
    canvas[y : y + plane.shape[0], x : x + plane.shape[1]] = plane
    return canvas


def _grey(values: np.ndarray) -> UInt8Array:
    return np.ascontiguousarray(np.clip(values * 255.0, 0, 255).astype(np.uint8))


def _page(rng: np.random.Generator, *, dark: bool) -> UInt8Array:
    page = Image.new("L", (300, 400), 20 if dark else 250)
    pen = ImageDraw.Draw(page)
    for y in range(15, 380, 14):
        words = " ".join("".join(chr(97 + c) for c in rng.integers(0, 26, rng.integers(2, 9))) for _ in range(7))
        pen.text((12, y), words, fill=230 if dark else 10)
    return np.asarray(page)


def _chart(rng: np.random.Generator) -> UInt8Array:
    chart = Image.new("L", (360, 260), 255)
    pen = ImageDraw.Draw(chart)
    pen.line([(30, 10), (30, 230), (350, 230)], fill=0, width=2)
    for index, height in enumerate(rng.integers(20, 200, 8)):
        pen.rectangle((45 + 38 * index, 230 - int(height), 70 + 38 * index, 230), fill=int(rng.integers(60, 200)))
    return np.asarray(chart)


def _window(rng: np.random.Generator) -> UInt8Array:
    window = Image.new("L", (480, 320), 235)
    pen = ImageDraw.Draw(window)
    pen.rectangle((0, 0, 480, 28), fill=70)
    pen.text((10, 8), "File   Edit   View   Help", fill=240)
    for _ in range(9):
        x, y, width = int(rng.integers(10, 380)), int(rng.integers(40, 280)), int(rng.integers(40, 120))
        pen.rectangle((x, y, x + width, y + 24), outline=100, fill=int(rng.integers(190, 255)))
        pen.text((x + 6, y + 6), "Button", fill=30)
    return np.asarray(window)


def _shapes(rng: np.random.Generator) -> UInt8Array:
    canvas = Image.new("L", (256, 256), int(rng.integers(0, 256)))
    pen = ImageDraw.Draw(canvas)
    for _ in range(12):
        x, y = rng.integers(0, 220, 2)
        size = int(rng.integers(15, 90))
        draw = pen.ellipse if rng.random() < 0.5 else pen.rectangle
        draw((x, y, x + size, y + size), fill=int(rng.integers(0, 256)))
    buffer = io.BytesIO()
    canvas.save(buffer, "JPEG", quality=80)
    return np.asarray(Image.open(buffer))
