"""PSPNet (Zhao et al. 2017): features pooled over grids of several sizes give pixels the context of the tile.

The ResNet of the paper is replaced by a small residual backbone with dilated convolutions at a quarter of the
resolution.
"""

from __future__ import annotations

import keras
from keras import layers

STRIDE = 4  # of the backbone


def _convolve(
    x: keras.KerasTensor, filters: int, size: int = 3, stride: int = 1, dilation: int = 1
) -> keras.KerasTensor:
    """One convolution, normalised."""
    x = layers.Conv2D(
        filters,
        size,
        strides=stride,
        dilation_rate=dilation,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    return layers.BatchNormalization(momentum=0.9)(x)


def _residual(x: keras.KerasTensor, filters: int, stride: int = 1, dilation: int = 1) -> keras.KerasTensor:
    """Two convolutions beside a shortcut."""
    shortcut = x if stride == 1 and x.shape[-1] == filters else _convolve(x, filters, 1, stride)
    x = layers.ReLU()(_convolve(x, filters, 3, stride))
    x = _convolve(x, filters, 3, 1, dilation)
    return layers.ReLU()(layers.Add()([x, shortcut]))


def build_model(
    input_shape: tuple[int, int, int], n_classes: int, *, width: int = 16, bins: int = 4, dropout: float = 0.1
) -> keras.Model:
    """Return the model: (H, W, bands) in 0..1 -> (H, W, n_classes) probabilities.

    Args:
        input_shape: height, width and bands; height and width are multiples of 4.
        n_classes: classes to tell apart.
        width: filters of the first level.
        bins: how many grids to pool over; those that do not divide the feature map are left out.
        dropout: share of the features dropped before the last layer in training.
    """
    inputs = keras.Input(input_shape)
    fine = layers.ReLU()(_convolve(inputs, width))
    x = _residual(fine, width * 2, stride=2)
    x = _residual(x, width * 4, stride=2)
    x = _residual(x, width * 4, dilation=2)
    height, length = input_shape[0] // STRIDE, input_shape[1] // STRIDE
    grids = [grid for grid in (1, 2, 3, 4, 6, 8) if height % grid == 0 and length % grid == 0][:bins]
    pooled = [x]
    for grid in grids:
        region = (height // grid, length // grid)
        context = layers.ReLU()(_convolve(layers.AveragePooling2D(region)(x), width, 1))
        pooled.append(layers.UpSampling2D(region, interpolation="bilinear")(context))
    x = layers.ReLU()(_convolve(layers.Concatenate()(pooled), width * 4))
    x = layers.SpatialDropout2D(dropout, seed=1)(x)
    x = layers.UpSampling2D(STRIDE, interpolation="bilinear")(x)
    x = layers.ReLU()(_convolve(layers.Concatenate()([x, fine]), width * 2))
    outputs = layers.Conv2D(n_classes, 1, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="pspnet")
