"""The old forms of Caffe's files as tables: V0 and V1 layers, and solvers, beside their current names.

Facts of caffe.proto and upgrade_proto.cpp. V0 is `layers { layer { } }`, one flat message of
parameters for each layer; V1 is `layers { }` with an enumeration for the type. The enumeration
itself stands in `net.V1_TYPES`.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, NamedTuple, Optional, Tuple

#: V0's layer that only pads; Caffe gives its pad to the layer behind it.
PADDING = "padding"

#: V0's type names beside V1's (UpgradeV0LayerType).
V0_TYPES: Dict[str, str] = {
    "accuracy": "ACCURACY", "bnll": "BNLL", "concat": "CONCAT", "conv": "CONVOLUTION", "data": "DATA",
    "dropout": "DROPOUT", "euclidean_loss": "EUCLIDEAN_LOSS", "flatten": "FLATTEN", "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT", "im2col": "IM2COL", "images": "IMAGE_DATA", "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT", "lrn": "LRN", "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING", "relu": "RELU", "sigmoid": "SIGMOID", "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS", "split": "SPLIT", "tanh": "TANH", "window_data": "WINDOW_DATA",
}

#: V0's type beside the message that its parameters move to.
V0_MESSAGES: Dict[str, str] = {
    "concat": "concat_param", "conv": "convolution_param", "data": "data_param", "dropout": "dropout_param",
    "hdf5_data": "hdf5_data_param", "images": "image_data_param", "infogain_loss": "infogain_loss_param",
    "innerproduct": "inner_product_param", "lrn": "lrn_param", "pool": "pooling_param",
    "window_data": "window_data_param",
}


class V0Field(NamedTuple):
    """A parameter of V0: its current name, the types that take it, and the message it moves to.

    No types: every type takes it. No message: that of the layer's type, from `V0_MESSAGES`.
    """

    name: str
    types: Tuple[str, ...] = ()
    message: Optional[str] = None

    def taken_by(self, kind: str) -> bool:
        """Whether a layer of that V0 type has this parameter."""
        return not self.types or kind in self.types


_SOURCES = ("data", "hdf5_data", "images", "window_data", "infogain_loss")

#: V0LayerParameter's parameters (UpgradeV0LayerParameter).
V0_FIELDS: Dict[str, V0Field] = {
    "num_output":        V0Field("num_output",        ("conv", "innerproduct")),
    "biasterm":          V0Field("bias_term",         ("conv", "innerproduct")),
    "weight_filler":     V0Field("weight_filler",     ("conv", "innerproduct")),
    "bias_filler":       V0Field("bias_filler",       ("conv", "innerproduct")),
    "pad":               V0Field("pad",               ("conv", "pool")),
    "kernelsize":        V0Field("kernel_size",       ("conv", "pool")),
    "stride":            V0Field("stride",            ("conv", "pool")),
    "group":             V0Field("group",             ("conv",)),
    "pool":              V0Field("pool",              ("pool",)),
    "dropout_ratio":     V0Field("dropout_ratio",     ("dropout",)),
    "local_size":        V0Field("local_size",        ("lrn",)),
    "alpha":             V0Field("alpha",             ("lrn",)),
    "beta":              V0Field("beta",              ("lrn",)),
    "k":                 V0Field("k",                 ("lrn",)),
    "source":            V0Field("source",            _SOURCES),
    "batchsize":         V0Field("batch_size",        _SOURCES[:4]),
    "rand_skip":         V0Field("rand_skip",         ("data", "images")),
    "shuffle_images":    V0Field("shuffle",           ("images",)),
    "new_height":        V0Field("new_height",        ("images",)),
    "new_width":         V0Field("new_width",         ("images",)),
    "concat_dim":        V0Field("concat_dim",        ("concat",)),
    "det_fg_threshold":  V0Field("fg_threshold",      ("window_data",)),
    "det_bg_threshold":  V0Field("bg_threshold",      ("window_data",)),
    "det_fg_fraction":   V0Field("fg_fraction",       ("window_data",)),
    "det_context_pad":   V0Field("context_pad",       ("window_data",)),
    "det_crop_mode":     V0Field("crop_mode",         ("window_data",)),
    "scale":             V0Field("scale",             message="transform_param"),
    "meanfile":          V0Field("mean_file",         message="transform_param"),
    "cropsize":          V0Field("crop_size",         message="transform_param"),
    "mirror":            V0Field("mirror",            message="transform_param"),
}

#: What V0 and V1 write alike in the layer itself.
V0_LAYER_FIELDS: FrozenSet[str] = frozenset(("name", "type", "blobs", "blobs_lr", "weight_decay"))

#: Declared in V0LayerParameter, and read by no Caffe.
V0_UNREAD: FrozenSet[str] = frozenset(("new_num", "new_channels"))

#: Every field of V1LayerParameter but `layer`.
V1_FIELDS: FrozenSet[str] = frozenset(
    "bottom top name include exclude type blobs param blob_share_mode blobs_lr weight_decay loss_weight "
    "accuracy_param argmax_param concat_param contrastive_loss_param convolution_param data_param dropout_param "
    "dummy_data_param eltwise_param exp_param hdf5_data_param hdf5_output_param hinge_loss_param image_data_param "
    "infogain_loss_param inner_product_param loss_param lrn_param memory_data_param mvn_param pooling_param "
    "power_param relu_param sigmoid_param slice_param softmax_param tanh_param threshold_param transform_param "
    "window_data_param".split()
)

#: What forks added to V1's enumeration, beside the name that the same forks' later layers have.
FORK_TYPES: Dict[str, str] = {
    "BN": "BN",
    "CROP": "Crop",
    "DENSE_CRF": "DenseCRF",
    "IMAGE_SEG_DATA": "ImageSegData",
    "INTERP": "Interp",
    "LOCAL": "Local",
    "MAT_READ": "MatRead",
    "MAT_WRITE": "MatWrite",
    "MULTI_STAGE_MEANFIELD": "MultiStageMeanfield",
    "PRELU": "PReLU",
    "PYTHON": "Python",
    "RESHAPE": "Reshape",
    "ROIPOOLING": "ROIPooling",
    "ROI_POOLING": "ROIPooling",
    "SEG_ACCURACY": "SegAccuracy",
    "SMOOTH_L1_LOSS": "SmoothL1Loss",
    "SPP": "SPP",
    "UNPOOLING": "Unpooling",
    "UPSAMPLE": "Upsample",
    "UPSAMPLING": "Upsampling",
}

#: SolverParameter's old enumeration beside the current type, in the order of its numbers (UpgradeSolverType).
SOLVER_TYPES: Dict[str, str] = {
    "SGD": "SGD", "NESTEROV": "Nesterov", "ADAGRAD": "AdaGrad", "RMSPROP": "RMSProp", "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}
