"""The pictures of a report: the image, and the image with the evidence drawn over it."""

import base64
import hashlib
import io

from PIL import Image

from classifier.inference.registry import SaliencyScale
from classifier.inference.saliency import overlay_png
from classifier.models import Analysis, ClassMaps, Scan
from classifier.selectors.analysis import class_maps
from classifier.selectors.report_facts import Facts

# Printed 5 cm wide, this is 240 dots per inch; larger pictures make files slow to send.
MAX_SIDE = 480
STRENGTH = 0.5
"""Share of the overlay's opacity that is printed: the strength that the viewer starts with."""


def image_uri(scan: Scan) -> str:
    """Return the scan's image as a `data:` URI, PNG; "" if the file is missing."""
    image = _image(scan)
    return "" if image is None else _uri(image)


def overlay_uri(scan: Scan, analysis: Facts | None) -> str:
    """Return the image with the evidence drawn over it as a `data:` URI, PNG.

    Args:
        scan: the scan.
        analysis: the `analysis` of its facts.

    Returns:
        "" if there is no overlay, or if its class maps or the image are no longer those of the facts.
    """
    overlay = None if analysis is None else analysis["overlay"]
    if analysis is None or overlay is None or not overlay["points_to_a_place"]:
        return ""
    image, png = _image(scan), _overlay_png(scan, analysis["id"], overlay)
    if image is None or png is None:
        return ""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as opened:
        drawn = opened.convert("RGBA").resize(image.size, Image.Resampling.BILINEAR)
    drawn.putalpha(drawn.getchannel("A").point(lambda alpha: round(alpha * STRENGTH)))
    return _uri(Image.alpha_composite(image.convert("RGBA"), drawn).convert("RGB"))


def _image(scan: Scan) -> Image.Image | None:
    try:
        with scan.image.open("rb") as file, Image.open(file, formats=["PNG"]) as opened:
            image = opened.convert("L")
    except OSError:
        return None
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return image


def _overlay_png(scan: Scan, analysis_id: str, overlay: Facts) -> bytes | None:
    try:
        maps = class_maps(Analysis(pk=analysis_id))
    except ClassMaps.DoesNotExist:
        return None
    if hashlib.sha256(maps.tobytes()).hexdigest() != overlay["maps_sha256"]:
        return None
    scale = None if overlay["floor"] is None else SaliencyScale(overlay["floor"], overlay["ceiling"])
    return overlay_png(maps, finding=overlay["finding"], width=scan.width, height=scan.height, scale=scale)


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    # A PNG of this size compresses ten times faster at the lowest level and grows by a tenth.
    image.save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
