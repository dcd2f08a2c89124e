"""Trains the demo's model: a small neural network that reads handwritten digits, as ONNX.

scikit-learn ships the images (1,797 of 8 x 8 pixels); half of them train the network, the other
half is kept back, and ``examples/digits.py`` counts its accuracy on that half alone.
"""

import argparse
import base64
import json
import pathlib
import warnings

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

_SEED = 7
_BRIGHTEST = 16.0
_ROOT = pathlib.Path(__file__).resolve().parent.parent


def train(output: pathlib.Path) -> None:
    """Writes the model and the images, in two forms, to a directory."""
    digits = load_digits()
    pixels = digits.data.astype(np.uint8)
    indices = np.arange(len(pixels))
    trained_on, held_out = train_test_split(
        indices, test_size=0.5, random_state=_SEED, stratify=digits.target
    )
    network = MLPClassifier(hidden_layer_sizes=(128, 64), max_iter=200, random_state=_SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(pixels[trained_on].astype(np.float32) / _BRIGHTEST, digits.target[trained_on])
    model = to_onnx(network, np.zeros((1, pixels.shape[1]), np.float32), options={"zipmap": False})
    output.mkdir(parents=True, exist_ok=True)
    np.savez(output / "images.npz", pixels=pixels, labels=digits.target.astype(np.int32))
    (output / "held_out.json").write_text(json.dumps(sorted(int(i) for i in held_out)))
    # What the other two hold, for those who read neither: label, whether it is unseen, pixels.
    unseen = np.isin(indices, held_out)
    (output / "images.csv").write_text(
        "".join(
            f"{label},{held},{base64.b64encode(image.tobytes()).decode('ascii')}\n"
            for label, held, image in zip(digits.target, unseen.astype(int), pixels)
        )
    )
    # Written last: its presence says that the rest is there.
    (output / "model.onnx").write_bytes(model.SerializeToString())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=_ROOT / "target" / "digits")
    train(parser.parse_args().output)
