import numpy as np

from classifier.training.calibrate import fit_saliency
from classifier.training.manifest import Row
from classifier.training.outputs import Outputs


def row(label, *, box=None):
    return Row(label, "a", False, label, label, "", "a", "g", "t", 0, box)


def test_saliency_shows_nothing_of_what_healthy_images_show():
    maps = np.zeros((2, 10, 10, 4), np.float16)
    maps[0, :, :, 0] = 4  # An image without a tumor that weakly speaks for a glioma everywhere.
    maps[1, 2, 3, 0] = 40
    rows = (row("notumor"), row("glioma", box=(0.35, 0.25, 0.2, 0.2)))
    fitted = fit_saliency(
        Outputs(rows, np.zeros((2, 4), np.float32), np.zeros((2, 3), np.float32), maps, np.zeros((2, 13), np.float32))
    )
    assert fitted == {"floor": 3.0, "ceiling": 30.0}
