"""Which layer types there are: stock Caffe's, and the forks' that resize.

They stand apart from `shapes.table` and `dialects`, which have a rule for each, because a net without custom
layers needs no more than this to be told from others.
"""

from __future__ import annotations

#: What the registry of stock Caffe 1.0 lists.
STOCK_TYPES = frozenset((
    "AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss Convolution Crop Data "
    "Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten HDF5Data HDF5Output "
    "HingeLoss Im2col ImageData InfogainLoss InnerProduct Input LRN LSTM LSTMUnit Log MVN MemoryData "
    "MultinomialLogisticLoss PReLU Parameter Pooling Power Python RNN ReLU Reduction Reshape SPP Scale Sigmoid "
    "SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss Split Swish TanH Threshold Tile WindowData"
).split())

#: What `dialects` reads, or refuses with a reason; a Python layer stands under its class (`Layer.kind`).
RESIZE_TYPES = frozenset((
    "BilinearInterpolate BilinearInterpolation Bilinearupsample CropAndResize DeephiResize INTERP ImResize Interp "
    "InterpAdvance InterpNN InterpVariable Interpolation MaxUnPool NearestSample OctaveUpsample "
    "Python:interp.UpsamplingBilinear2d Resample Resize ResizeBilinear ResizeNearest ResizeNearestNeighbor "
    "SimpleUpsample UNPOOLING UPSAMPLE UPSAMPLING UnPooling Unpooling Upsample Upsample2 UpsampleDarknet "
    "UpsampleNearest UpsampleNearst UpsamplePooling Upsampling Upscale Upscale2D"
).split())
