"""Images to be optimised: how they are parametrised, transformed and regularised."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

PARAMETRISATIONS = ("pixels", "fourier")

# Published: spread of the starts, and what the Fourier image is divided by (lucid).
_SPREAD, _FOURIER_DIVISOR = 0.01, 4.0

# Published: the 3 x 3 blur, before it is divided by its own mass (lucid).
_BLUR = ((0.5, 0.5, 0.5), (0.5, 1.0, 0.5), (0.5, 0.5, 0.5))

# Inside the root of the L2 norm, whose gradient at 0 is infinite otherwise (lucid).
_INSIDE_ROOT = 1e-6


@dataclasses.dataclass(frozen=True)
class Settings:
    """How images are optimised. Weights are relative to an objective that is about 1.

    Raises:
      ValueError: A word is not one of its choices, or a number is out of range.
    """

    parametrisation: str = "pixels"
    """`pixels`, or `fourier` coefficients: the same images, reached by another path; both
    followed by a sigmoid."""
    decay: float = 1.0
    """Power of the frequency by which Fourier coefficients are divided."""
    images: int = 4
    """In a batch, as published."""
    steps: int = 256
    rate: float = 0.05
    """Learning rate of Adam, as published."""
    jitter: int = 1
    """Largest shift in pixels, drawn anew in every step."""
    zoom: float = 0.0
    """Largest relative change of size, drawn likewise."""
    rotation: float = 0.0
    """Largest angle in degrees, drawn likewise."""
    variation: float = 0.0
    """Weight of the total variation."""
    l1: float = 0.0
    """Weight of the L1 norm of the image, whose background is 0."""
    l2: float = 0.0
    """Weight of its L2 norm."""
    blur: float = 0.0
    """Weight of the squared distance to the image's own blur."""

    def __post_init__(self):
        if self.parametrisation not in PARAMETRISATIONS:
            choices = ", ".join(PARAMETRISATIONS)
            raise ValueError(f"parametrisation={self.parametrisation!r} is not one of {choices}")
        for name in ("images", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} is not at least 1")
        for name in ("jitter", "zoom", "rotation", "variation", "l1", "l2", "blur"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)} is negative")


SMALL = Settings(variation=0.01)
"""For images of 8 x 8 pixels; our choice."""

LARGE = Settings(parametrisation="fourier", jitter=2, zoom=0.05, rotation=5.0)
"""For images of 28 x 28 pixels; our choice."""


def settings_for(image_hw: tuple[int, int]) -> Settings:
    """The settings for images of a size: `SMALL` below 16 pixels a side, else `LARGE`."""
    return SMALL if max(image_hw) < 16 else LARGE


def start(
    settings: Settings, image_hw: tuple[int, int], key: PRNGKeyArray
) -> Float[Array, "b *parameters"]:
    """Random parameters of a batch of images, near uniform grey."""
    h, w = image_hw
    shape = (h, w) if settings.parametrisation == "pixels" else (2, h, w // 2 + 1)
    return _SPREAD * jax.random.normal(key, (settings.images, *shape))


def render(
    parameter_b: Float[Array, "b *parameters"], settings: Settings, image_hw: tuple[int, int]
) -> Float[Array, "b h w"]:
    """The images in (0, 1) that parameters stand for."""
    if settings.parametrisation == "pixels":
        return jax.nn.sigmoid(parameter_b)
    scale_hw = jnp.asarray(_frequency_scale(image_hw, settings.decay))
    spectrum_bhw = (parameter_b[:, 0] + 1j * parameter_b[:, 1]) * scale_hw[None]
    return jax.nn.sigmoid(jnp.fft.irfft2(spectrum_bhw, s=image_hw) / _FOURIER_DIVISOR)


def parameters_of(
    images_bhw: Float[Array, "b h w"], settings: Settings
) -> Float[Array, "b *parameters"]:
    """The inverse of `render`, for images that are clipped to [0.01, 0.99]."""
    chex.assert_rank(images_bhw, 3)
    logit_bhw = jax.scipy.special.logit(jnp.clip(images_bhw, 0.01, 0.99))
    if settings.parametrisation == "pixels":
        return logit_bhw
    _, h, w = images_bhw.shape
    scale_hw = jnp.asarray(_frequency_scale((h, w), settings.decay))
    spectrum_bhw = jnp.fft.rfft2(logit_bhw * _FOURIER_DIVISOR) / scale_hw[None]
    return jnp.stack([spectrum_bhw.real, spectrum_bhw.imag], axis=1)


def _frequency_scale(image_hw: tuple[int, int], decay: float) -> np.ndarray:
    """What Fourier coefficients are multiplied by: less, the higher the frequency (lucid)."""
    h, w = image_hw
    frequency_hw = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None])
    scale_hw = np.sqrt(h * w) / np.maximum(frequency_hw, 1 / max(h, w)) ** decay
    return scale_hw.astype(np.float32)


def transform(
    images_bhw: Float[Array, "b h w"], settings: Settings, key: PRNGKeyArray
) -> Float[Array, "b h w"]:
    """Each image shifted, resized and rotated at random; its border is repeated outwards."""
    chex.assert_rank(images_bhw, 3)
    b = len(images_bhw)
    shift_key, zoom_key, angle_key = jax.random.split(key, 3)
    jitter = settings.jitter
    shift_b2 = jax.random.randint(shift_key, (b, 2), -jitter, jitter + 1)
    if not (settings.zoom or settings.rotation):
        if not jitter:
            return images_bhw
        padded_bhw = jnp.pad(images_bhw, ((0, 0), (jitter,) * 2, (jitter,) * 2), mode="edge")
        crop = functools.partial(jax.lax.dynamic_slice, slice_sizes=images_bhw.shape[1:])
        return jax.vmap(crop)(padded_bhw, jitter + shift_b2)
    zoom_b = 1 + settings.zoom * jax.random.uniform(zoom_key, (b,), minval=-1)
    angle = settings.rotation * np.pi / 180
    angle_b = angle * jax.random.uniform(angle_key, (b,), minval=-1)
    return jax.vmap(_resampled)(images_bhw, shift_b2.astype(jnp.float32), zoom_b, angle_b)


def _resampled(image_hw: Array, shift_2: Array, zoom: Array, angle: Array) -> Array:
    """The image, shifted, resized and rotated about its centre, by linear interpolation."""
    center = [(size - 1) / 2 for size in image_hw.shape]
    rows, columns = jnp.meshgrid(*map(jnp.arange, image_hw.shape), indexing="ij")
    y, x = rows - center[0], columns - center[1]
    cos, sin = jnp.cos(angle) / zoom, jnp.sin(angle) / zoom
    at = (cos * y - sin * x + center[0] + shift_2[0], sin * y + cos * x + center[1] + shift_2[1])
    return jax.scipy.ndimage.map_coordinates(image_hw, at, order=1, mode="nearest")


def penalty(images_bhw: Float[Array, "b h w"], settings: Settings) -> Float[Array, " b"]:
    """The weighted sum of total variation, norms and blur of each image."""
    chex.assert_rank(images_bhw, 3)
    total_b = jnp.zeros(len(images_bhw))
    if settings.variation:
        total_b += settings.variation * total_variation(images_bhw)
    if settings.l1:
        total_b += settings.l1 * abs(images_bhw).sum(axis=(1, 2))
    if settings.l2:
        total_b += settings.l2 * jnp.sqrt(_INSIDE_ROOT + (images_bhw**2).sum(axis=(1, 2)))
    if settings.blur:
        fixed_bhw = jax.lax.stop_gradient(blurred(images_bhw))
        total_b += settings.blur * ((images_bhw - fixed_bhw) ** 2).sum(axis=(1, 2)) / 2
    return total_b


def total_variation(images_bhw: Float[Array, "b h w"]) -> Float[Array, " b"]:
    """The sum of absolute differences of neighbouring pixels.

    Example:
      >>> total_variation(jnp.array([[[0.0, 1.0], [0.0, 0.0]]])).tolist()
      [2.0]
    """
    chex.assert_rank(images_bhw, 3)
    down_bhw, across_bhw = jnp.diff(images_bhw, axis=1), jnp.diff(images_bhw, axis=2)
    return abs(down_bhw).sum(axis=(1, 2)) + abs(across_bhw).sum(axis=(1, 2))


def blurred(images_bhw: Float[Array, "b h w"]) -> Float[Array, "b h w"]:
    """Each pixel's weighted mean over its 3 x 3 neighbourhood, within the image.

    Example:
      >>> blurred(jnp.ones((1, 2, 2))).tolist()
      [[[1.0, 1.0], [1.0, 1.0]]]
    """
    chex.assert_rank(images_bhw, 3)
    kernel = jnp.asarray(_BLUR)
    sum_over = jax.vmap(functools.partial(jax.scipy.signal.convolve2d, mode="same"), (0, None))
    return sum_over(images_bhw, kernel) / sum_over(jnp.ones_like(images_bhw), kernel)
