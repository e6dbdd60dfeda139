"""Detection of exact and near duplicates."""

import hashlib
from typing import Iterator

import numpy as np
from PIL import Image

HASH_BITS = 64
_DCT_SIDE = 32
_HASH_SIDE = 8

# The rows 1..8 of the orthogonal DCT-II of 32 values (up to scale, which the
# hash does not see); row 0, the mean, is left out.
_FREQUENCIES = np.cos(
    np.pi / _DCT_SIDE * np.outer(np.arange(1, _HASH_SIDE + 1),
                                 np.arange(_DCT_SIDE) + 0.5))


def pixel_digest(rgb: Image.Image) -> bytes:
    """Returns the SHA-256 of a picture's size and pixels (mode RGB)."""
    digest = hashlib.sha256(f"{rgb.width}x{rgb.height}:".encode())
    digest.update(rgb.tobytes())
    return digest.digest()


def perceptual_hash(rgb: Image.Image) -> int:
    """Returns a 64-bit hash that is similar for similar pictures.

    Its bits tell which of the 64 lowest frequencies of the lightness exceed
    their median (Zauner 2010, Implementation and Benchmarking of Perceptual
    Image Hash Functions, 3.2.1). Resizing, recompression and changes of
    brightness flip few of them.

    Args:
      rgb: a picture of mode RGB.
    """
    gray = np.asarray(rgb.convert("L").resize(
        (_DCT_SIDE, _DCT_SIDE), Image.Resampling.BOX), np.float64)
    low = (_FREQUENCIES @ gray @ _FREQUENCIES.T).ravel()
    bits = np.packbits(low > np.median(low))
    return int.from_bytes(bits.tobytes(), "big")


def bands(perceptual: int, *, distance: int) -> Iterator[tuple[int, int]]:
    """Cuts a hash into distance + 1 pieces.

    Two hashes that differ in at most `distance` bits have at least one piece
    in common, so only such pairs need to be compared.

    Args:
      perceptual: a 64-bit hash.
      distance: 0..63.

    Yields:
      The number of each piece, and its bits.
    """
    edges = np.linspace(0, HASH_BITS, distance + 2).astype(int).tolist()
    for number, (start, end) in enumerate(zip(edges, edges[1:])):
        yield number, perceptual >> start & (1 << (end - start)) - 1


def earlier_alike(hashes: np.ndarray, *, distance: int,
                  pairs_at_once: int = 2**21) -> np.ndarray:
    """Finds, for each hash, the first earlier one that nearly equals it.

    Args:
      hashes: uint64 [N].
      distance: number of bits in which the two may differ.
      pairs_at_once: number of pairs to compare at once, 8 bytes each.

    Returns:
      int64 [N], indices; -1 where there is none.
    """
    found = np.full(len(hashes), -1, np.int64)
    rows = max(1, pairs_at_once // max(1, len(hashes)))
    for start in range(0, len(hashes), rows):
        some = hashes[start:start + rows, None]
        before = hashes[None, :start + len(some)]
        alike = np.bitwise_count(some ^ before) <= distance
        alike &= (np.arange(before.shape[1])[None, :]
                  < np.arange(start, start + len(some))[:, None])
        first = alike.argmax(axis=1)
        found[start:start + len(some)] = np.where(
            alike.any(axis=1), first, -1)
    return found
