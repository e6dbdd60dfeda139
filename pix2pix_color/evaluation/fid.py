"""The Frechet inception distance (Heusel et al. 2017, equation 6).

Two sets of pictures are compared as Gaussians over Inception-v3's features: the
2048 averaged outputs of Keras's InceptionV3 without its top. The paper's
network is a slightly different one, so compare these distances with each other,
not to the digit with published ones. With fewer pictures than features, the
distance is biased upwards.
"""

from typing import Callable

import keras
import numpy as np
import tensorflow as tf

from data_pipelines.errors import UserError

_INCEPTION_SIZE = 299


def distance(features_1: np.ndarray, features_2: np.ndarray) -> float:
    """Computes the squared Frechet distance of two sets of features.

    Args:
      features_1: float [N, D], N at least 2.
      features_2: float [M, D], M at least 2.
    """
    (mean_1, covariance_1), (mean_2, covariance_2) = (
        (features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False)))
        for features in (features_1.astype(np.float64),
                         features_2.astype(np.float64)))
    return frechet_distance(mean_1, covariance_1, mean_2, covariance_2)


def frechet_distance(mean_1: np.ndarray, covariance_1: np.ndarray,
                     mean_2: np.ndarray, covariance_2: np.ndarray) -> float:
    """Computes the squared Frechet distance of two Gaussians.

    Dowson and Landau 1982: |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)).

    Args:
      mean_1: float64 [D].
      covariance_1: float64 [D, D].
      mean_2: float64 [D].
      covariance_2: float64 [D, D].
    """
    values, vectors = np.linalg.eigh(covariance_1)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    # C1 C2 has the eigenvalues of the symmetric C1^(1/2) C2 C1^(1/2).
    product = np.linalg.eigvalsh(root @ covariance_2 @ root)
    cross = np.sqrt(np.maximum(product, 0)).sum()
    squared = (np.square(mean_1 - mean_2).sum() + np.trace(covariance_1)
               + np.trace(covariance_2) - 2 * cross)
    return float(max(squared, 0.0))


def inception_features(weights: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """Builds a function that computes Inception-v3's features.

    Args:
      weights: a file of keras.applications.InceptionV3(include_top=False),
        such as inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5 or one
        that save_weights wrote; or `imagenet`, which Keras downloads.

    Returns:
      A function from uint8 [N, S, S, 3] to float32 [N, 2048].

    Raises:
      UserError: the weights cannot be read or downloaded, or are another
        network's.
    """
    try:
        network = keras.applications.InceptionV3(
            include_top=False, pooling="avg",
            weights="imagenet" if weights == "imagenet" else None,
            input_shape=(_INCEPTION_SIZE, _INCEPTION_SIZE, 3))
        if weights != "imagenet":
            network.load_weights(weights)
    except Exception as error:  # h5py, Keras and urllib each raise their own
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"--inception_weights={weights} must be a weights file of Keras's "
            f"InceptionV3 without its top, or imagenet to download one: "
            f"{reason}") from error

    @tf.function(autograph=False, reduce_retracing=True)
    def features(rgb):
        resized = tf.image.resize(rgb, [_INCEPTION_SIZE] * 2, antialias=True)
        return network(resized / 127.5 - 1.0, training=False)

    return features
