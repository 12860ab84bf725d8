"""SegNet (Badrinarayanan et al. 2017): an encoder and a mirrored decoder without skip connections.

The original hands the positions of the maxima to the decoder; here the decoder upsamples, since Keras has no
unpooling layer and a saved model must load without code of ours. It therefore draws softer edges than the
U-Net.
"""

from __future__ import annotations

import keras
from keras import layers


def _block(x: keras.KerasTensor, filters: int, convolutions: int) -> keras.KerasTensor:
    """3x3 convolutions, each normalised and rectified."""
    for _ in range(convolutions):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    return x


def _depth(size: int) -> int:
    """Return how often a tile of `size` pixels is halved."""
    return max(level for level in range(4) if size % 2**level == 0 and (level == 0 or size // 2**level >= 4))


def build_model(
    input_shape: tuple[int, int, int], n_classes: int, *, width: int = 16, depth: int = 0, convolutions: int = 2
) -> keras.Model:
    """Return the model: (H, W, bands) in 0..1 -> (H, W, n_classes) probabilities.

    Args:
        input_shape: height, width and bands; height and width are multiples of 2 ** depth.
        n_classes: classes to tell apart.
        width: filters of the first level.
        depth: how often the tile is halved; 0: up to three times, as long as 4 pixels are left.
        convolutions: in each block.
    """
    depth = depth or _depth(input_shape[0])
    inputs = x = keras.Input(input_shape)
    for level in range(depth):
        x = _block(x, width * 2**level, convolutions)
        x = layers.MaxPooling2D()(x)
    for level in reversed(range(depth)):
        x = layers.UpSampling2D()(x)
        x = _block(x, width * 2**level, convolutions)
    outputs = layers.Conv2D(n_classes, 1, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="segnet")
