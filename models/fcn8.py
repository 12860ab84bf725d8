"""FCN-8 (Long et al. 2015): coarse predictions at strides 32, 16 and 8 are summed and upsampled.

The VGG backbone of the paper is replaced by five small blocks; the finest prediction has an eighth of the
resolution, so edges are soft by design. Tiles below 32 pixels get fewer blocks, and with them finer
predictions.
"""

from __future__ import annotations

import keras
from keras import layers


def _block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    """Two 3x3 convolutions, each normalised and rectified, and a pooling that halves the tile."""
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    return layers.MaxPooling2D()(x)


def build_model(
    input_shape: tuple[int, int, int], n_classes: int, *, width: int = 16, depth: int = 0, dropout: float = 0.1
) -> keras.Model:
    """Return the model: (H, W, bands) in 0..1 -> (H, W, n_classes) probabilities.

    Args:
        input_shape: height, width and bands; height and width are multiples of 2 ** depth.
        n_classes: classes to tell apart.
        width: filters of the first block.
        depth: blocks, at least 3; 0: five, or as many as the tile can be halved.
        dropout: share of the deepest features dropped in training.
    """
    depth = depth or max(level for level in range(3, 6) if input_shape[0] % 2**level == 0)
    inputs = x = keras.Input(input_shape)
    pools = []
    for level in range(depth):
        x = _block(x, width * min(2**level, 8))
        pools.append(x)
    x = layers.Conv2D(width * 8, 1, activation="relu", kernel_initializer="he_normal")(x)
    x = layers.SpatialDropout2D(dropout, seed=1)(x)
    x = layers.Conv2D(n_classes, 1)(x)
    for pool in (pools[-2], pools[-3]):
        x = layers.Add()([layers.UpSampling2D(interpolation="bilinear")(x), layers.Conv2D(n_classes, 1)(pool)])
    x = layers.UpSampling2D(2 ** (depth - 2), interpolation="bilinear")(x)
    outputs = layers.Softmax(dtype="float32")(x)
    return keras.Model(inputs, outputs, name="fcn8")
