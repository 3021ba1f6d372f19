"""The input check on images made for it. `manage.py check_inspection` measures it on real ones."""

import io

import numpy as np
from PIL import Image, ImageDraw

from classifier.input_problems import CROPPED, DARK, EDGE, MARKED, MARKED_HEAD, SMALL, TURNED
from classifier.inspection import Margins, blanked, cropped, free_margins, inspect_image, turned
from classifier.inspection.checks import turn_scores
from classifier.inspection.convolution import ConvolutionalNetwork
from classifier.services.sample import list_samples


def sample(name: str = "glioma-1") -> np.ndarray:
    path = next(entry.path for entry in list_samples() if entry.name == name)
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        return np.asarray(image.convert("L"))


def codes(image: np.ndarray) -> set[str]:
    return {problem.code for problem in inspect_image(image)}


def written(image: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(image)
    ImageDraw.Draw(picture).text((8, 8), "SMITH JOHN 1961", fill=255, font_size=max(14, len(image) // 20))
    return np.asarray(picture)


def test_a_network_computes_what_its_weights_say():
    """One convolution that sums its window, pooled, doubled, then a weighted sum of the four places."""
    network = ConvolutionalNetwork(
        [np.ones((3, 3, 1, 1), np.float32), np.float32([[1.0], [2.0], [3.0], [4.0]])],
        [np.float32([2.0])],
        [np.float32([-1.0]), np.float32([0.5])],
    )
    image = np.float32([[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 3]])
    assert network(image).tolist() == [21.5]


def test_a_network_judges_each_place_alone():
    network = ConvolutionalNetwork(
        [np.ones((3, 3, 1, 1), np.float32), np.float32([[10.0]])],
        [np.float32([2.0])],
        [np.float32([-1.0]), np.float32([0.5])],
    )
    image = np.float32([[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 3]])
    assert network.at_places(image)[..., 0].tolist() == [[10.5, 0.5], [0.5, 50.5]]


def test_samples_are_mostly_clean():
    warned = [entry.name for entry in list_samples() if inspect_image(sample(entry.name))]
    assert len(warned) <= 2, warned


def test_scores_turn_with_the_image():
    image = sample()
    turned_scores = turn_scores(np.ascontiguousarray(np.rot90(image)))
    assert np.allclose(turned_scores, np.roll(turn_scores(image), 1), atol=0.3)
    assert np.allclose(turn_scores(np.ascontiguousarray(image[:, ::-1])), turn_scores(image)[[0, 3, 2, 1]], atol=0.3)


def test_lobes_that_lie_apart_are_no_text():
    image = np.zeros((256, 256), np.uint8)
    image[60:150, 60:196] = 150
    image[170:200, 70:110] = image[170:200, 150:190] = 160
    assert MARKED not in codes(image)


def test_a_head_cut_off_at_two_sides_is_found_with_the_sides():
    image = sample()
    height, width = image.shape
    cut = np.ascontiguousarray(image[height // 3 :, width // 3 :])
    [problem] = [problem for problem in inspect_image(cut) if problem.code == CROPPED]
    assert set(problem.detail.split(",")) >= {"top", "left"}


def test_a_vertex_at_the_upper_edge_is_not_cut_off():
    """A coronal head in a tight field of view; the same head with its upper half missing is cut off."""
    rows, columns = np.mgrid[:256, :256]
    coronal = ((rows - 110) / 112) ** 2 + ((columns - 128) / 90) ** 2 < 1
    neck = (rows > 150) & (abs(columns - 128) < 70)
    image = np.where(coronal | neck, 150, 0).astype(np.uint8)
    assert CROPPED not in codes(image)
    assert CROPPED in codes(np.ascontiguousarray(image[60:]))


def test_a_turned_sample_is_found_and_turned_back():
    found = 0
    for entry in list_samples():
        image = sample(entry.name)
        for quarters in (1, 2, 3):
            problems = [p for p in inspect_image(turned(image, quarters=quarters)) if p.code == TURNED]
            if problems:
                back = turned(turned(image, quarters=quarters), quarters=int(problems[0].detail))
                found += bool(np.array_equal(back, image))
    assert found >= 33  # of 36


def test_text_is_found_and_blanked_out():
    marked = written(sample())
    [problem] = [problem for problem in inspect_image(marked) if problem.code == MARKED]
    mended = blanked(marked, cells=problem.cells)
    assert MARKED not in codes(mended)
    middle = len(mended) // 2
    assert np.array_equal(mended[middle - 20 : middle + 20], sample()[middle - 20 : middle + 20])


def test_an_arrow_in_the_head_is_found_and_cannot_be_blanked_out():
    found = []
    for entry in list_samples():
        image = Image.fromarray(sample(entry.name))
        width, height = image.size
        tip = (0.55 * width, 0.5 * height)
        draw = ImageDraw.Draw(image)
        draw.line((*tip, 0.7 * width, 0.35 * height), fill=255, width=max(2, width // 80))
        draw.polygon([tip, (0.61 * width, 0.47 * height), (0.58 * width, 0.44 * height)], fill=255)
        found.append(codes(np.asarray(image)))
    assert sum(MARKED_HEAD in each for each in found) >= 10, found  # of 12


def test_poor_images_are_named():
    assert DARK in codes(sample() // 16)
    assert SMALL in codes(np.asarray(Image.fromarray(sample()).resize((80, 80))))


def test_a_slice_with_little_head_is_at_the_edge():
    image = np.zeros((256, 256), np.uint8)
    rows, columns = np.ogrid[:256, :256]
    image[(rows - 128) ** 2 + (columns - 128) ** 2 < 30**2] = 180
    assert EDGE in codes(image)


def test_a_black_picture_is_no_slice_at_the_edge():
    assert EDGE not in codes(np.zeros((256, 256), np.uint8))


def test_a_slice_with_a_sliver_of_the_ear_is_at_the_edge_and_not_cut_off():
    """The noise of the background must not count as a head that fills the image."""
    image = np.random.default_rng(1).integers(12, 28, (256, 256)).astype(np.uint8)
    image[120:150, 140:150] = 255
    found = codes(image)
    assert EDGE in found
    assert CROPPED not in found


def test_the_proposed_crop_takes_the_text_off_and_leaves_the_head_whole():
    head = np.zeros((256, 256), np.uint8)
    rows, columns = np.ogrid[:256, :256]
    head[(rows - 150) ** 2 + (columns - 128) ** 2 < 90**2] = 180
    # Text in two corners, and a mark in the head that no margin holds.
    margins = free_margins(head, cells=[(0, 0), (0, 1), (0, 14), (8, 8)])
    assert (margins.bottom, margins.left, margins.right) == (0, 0, 0)
    assert 6 < margins.top < 22
    assert (cropped(head, margins=margins) > 0).sum() == (head > 0).sum()
    assert free_margins(head, cells=[(8, 15)]) == Margins(right=10)
