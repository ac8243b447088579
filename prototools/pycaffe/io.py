"""Arrays to and from Caffe's messages, and images to and from a network's inputs.

Images are (H, W, K) with K colours; a network's inputs are (N, K, H, W).
"""

from __future__ import annotations

import importlib
from typing import Any, Callable, Dict, Mapping, Sequence, Tuple

import numpy as np

from prototools.errors import PrototoolsError
from prototools.pycaffe.proto import caffe_pb2


class MissingPackage(PrototoolsError, ImportError):
    """scikit-image is not installed, which reads and resizes images here as in pycaffe."""


# ---------------------------------------------------------------- messages


def blobproto_to_array(blob: Any, return_diff: bool = False) -> np.ndarray:
    """A BlobProto's data, or its gradients, in its shape; also in the old form of four dims."""
    values = np.array(blob.diff if return_diff else blob.data)
    old = any(blob.HasField(name) for name in ("num", "channels", "height", "width"))
    shape = (blob.num, blob.channels, blob.height, blob.width) if old else tuple(blob.shape.dim)
    return values.reshape(shape)


def array_to_blobproto(array: np.ndarray, diff: Any = None) -> Any:
    """A BlobProto with an array's values, and gradients of the same shape."""
    blob = caffe_pb2.BlobProto()
    blob.shape.dim.extend(array.shape)
    blob.data.extend(array.astype(float).flat)
    if diff is not None:
        blob.diff.extend(diff.astype(float).flat)
    return blob


def arraylist_to_blobprotovector_str(arrays: Sequence[np.ndarray]) -> bytes:
    """Arrays as a serialised BlobProtoVector."""
    vector = caffe_pb2.BlobProtoVector()
    vector.blobs.extend([array_to_blobproto(array) for array in arrays])
    return vector.SerializeToString()


def blobprotovector_str_to_arraylist(data: bytes) -> list:
    """The arrays of a serialised BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in caffe_pb2.BlobProtoVector.FromString(data).blobs]


def array_to_datum(array: np.ndarray, label: Any = None) -> Any:
    """A Datum of an image (channels, height, width); bytes for uint8, floats for other types."""
    if array.ndim != 3:
        raise ValueError("Incorrect array shape.")
    datum = caffe_pb2.Datum()
    datum.channels, datum.height, datum.width = array.shape
    if array.dtype == np.uint8:
        datum.data = array.tobytes()
    else:
        datum.float_data.extend(array.astype(float).flat)
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Any) -> np.ndarray:
    """A Datum's image, (channels, height, width)."""
    shape = datum.channels, datum.height, datum.width
    if len(datum.data):
        return np.frombuffer(datum.data, dtype=np.uint8).reshape(shape)
    return np.array(datum.float_data).astype(float).reshape(shape)


# ---------------------------------------------------------------- a network's inputs

Step = Callable[[np.ndarray, Any], np.ndarray]


def _swapped(image: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """The first axis in another order."""
    return image[np.asarray(order)]


#: Every step from an image to an input, in order: the setting, the way there, and the way back.
STEPS: Tuple[Tuple[str, Step, Step], ...] = (
    ("transpose",    np.transpose, lambda image, order: np.transpose(image, np.argsort(order))),
    ("channel_swap", _swapped,     lambda image, order: _swapped(image, np.argsort(order))),
    ("raw_scale",    np.multiply,  np.divide),
    ("mean",         np.subtract,  np.add),
    ("input_scale",  np.multiply,  np.divide),
)


class Transformer:
    """Images to a network's inputs and back, float32.

    `inputs` maps input names to shapes (N, K, H, W). Each setting belongs to one input; the image is resized,
    transposed, its channels are swapped, it is multiplied by `raw_scale`, the mean is subtracted, and the
    rest is multiplied by `input_scale`. Unlike pycaffe's, `preprocess` leaves the image it is given alone.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]):
        self.inputs = inputs
        self.transpose: Dict[str, Sequence[int]] = {}
        self.channel_swap: Dict[str, Sequence[int]] = {}
        self.raw_scale: Dict[str, float] = {}
        self.mean: Dict[str, np.ndarray] = {}
        self.input_scale: Dict[str, float] = {}

    def preprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """An image (H', W', K) as the input (K, H, W) of the network."""
        image = np.asarray(data, np.float32)
        size = tuple(self._shape(in_)[2:])
        if image.shape[:2] != size:
            image = resize_image(image, size)
        for setting, there, _ in STEPS:
            image = self._step(there, setting, in_, image)
        return image

    def deprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """An input of the network as an image again, without axes of one; its size stays."""
        self._shape(in_)
        image = np.array(data).squeeze()
        for setting, _, back in reversed(STEPS):
            image = self._step(back, setting, in_, image)
        return image

    def _step(self, step: Step, setting: str, in_: str, image: np.ndarray) -> np.ndarray:
        value = getattr(self, setting).get(in_)
        return image if value is None else step(image, value).astype(image.dtype, copy=False)

    def _shape(self, in_: str) -> Sequence[int]:
        if in_ not in self.inputs:
            raise Exception(f"{in_} is not one of the net inputs: {self.inputs}")
        return self.inputs[in_]

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """The axes' order, (2, 0, 1) from (H, W, K) to (K, H, W)."""
        if len(order) != len(self._shape(in_)) - 1:
            raise Exception(f"the order must have {len(self._shape(in_)) - 1} axes, one less than the input")
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """The channels' order, (2, 1, 0) from RGB to BGR."""
        if len(order) != self._shape(in_)[1]:
            raise Exception(f"the order must have {self._shape(in_)[1]} channels, as the input has")
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """What the image is multiplied by before the mean: 255 for nets that count from 0 to 255."""
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: np.ndarray) -> None:
        """The mean: one number for each channel, (H, W), or (K, H, W), resized to the input where it must be.

        Raises `ValueError` for another number of channels or axes.
        """
        shape = tuple(self._shape(in_)[1:])
        if mean.ndim == 1:
            if mean.shape[0] != shape[0]:
                raise ValueError(f"the mean must have {shape[0]} channels, as the input has, but has {mean.shape[0]}")
            mean = mean[:, np.newaxis, np.newaxis]
        elif mean.ndim not in (2, 3):
            raise ValueError(f"the mean must have 1 to 3 axes, but has {mean.ndim}")
        elif ((1,) * (3 - mean.ndim) + mean.shape) != shape:
            least, most = mean.min(), mean.max()
            image = ((mean - least) / (most - least)).transpose((1, 2, 0))
            mean = resize_image(image, shape[1:]).transpose((2, 0, 1)) * (most - least) + least
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """What the rest is multiplied by after the mean."""
        self._shape(in_)
        self.input_scale[in_] = scale


# ---------------------------------------------------------------- images


def load_image(filename: str, color: bool = True) -> np.ndarray:
    """An image file as float32 in [0, 1]: (H, W, 3), or (H, W, 1) for `color=False`; an alpha channel is left out.

    Raises `MissingPackage` without scikit-image.
    """
    read = _loaded("skimage.io").imread(filename, as_gray=not color)
    image = _loaded("skimage.util").img_as_float(read).astype(np.float32)
    if image.ndim == 2:
        return np.repeat(image[:, :, np.newaxis], 3 if color else 1, axis=2)
    return image[:, :, :3]


def resize_image(im: np.ndarray, new_dims: Sequence[int], interp_order: int = 1) -> np.ndarray:
    """An image (H, W, K) at another height and width, float32, by splines of an order; 1 is bilinear.

    One or three colours are resized with pixel centres on pixel centres and the image's least value outside
    (`skimage.transform.resize`), other numbers with corners on corners (`scipy.ndimage.zoom`). As in pycaffe,
    scikit-image decides whether an image is smoothed before it is made smaller: from 0.15 on it is.
    Raises `MissingPackage` without scikit-image.
    """
    size = tuple(int(dim) for dim in new_dims)
    if im.shape[-1] not in (1, 3):
        factors = [new / old for new, old in zip(size, im.shape)]
        return _loaded("scipy.ndimage").zoom(im, (*factors, 1), order=interp_order).astype(np.float32)
    least, most = im.min(), im.max()
    if not most > least:
        return np.full((*size, im.shape[-1]), least, np.float32)
    unit = (im - least) / (most - least)
    resized = _loaded("skimage.transform").resize(unit, size, order=interp_order, mode="constant")
    return (resized * (most - least) + least).astype(np.float32)


def oversample(images: Sequence[np.ndarray], crop_dims: Sequence[int]) -> np.ndarray:
    """Ten crops of each image: the four corners and the centre, and their mirror images; float32, (10 N, H, W, K)."""
    height, width = (int(dim) for dim in crop_dims)
    rows, columns = images[0].shape[:2]
    places = [(top, left) for top in (0, rows - height) for left in (0, columns - width)]
    places.append((int(rows / 2.0 - height / 2.0), int(columns / 2.0 - width / 2.0)))
    crops = []
    for image in images:
        five = [image[top:top + height, left:left + width] for top, left in places]
        crops += five + [crop[:, ::-1] for crop in five]
    return np.array(crops, np.float32)


def _loaded(module: str) -> Any:
    """A module of scikit-image, or of SciPy, which comes with it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingPackage(
            "images need scikit-image, which is not installed; pip install 'prototools[skimage]'") from None
