# Names that pycaffe gives by itself: no NetSpec, tops alone.
from __future__ import print_function

from caffe import layers as L, params as P, to_proto
from caffe.proto import caffe_pb2


def conv_relu(bottom, ks, nout, stride=1, pad=0, group=1):
    conv = L.Convolution(bottom, kernel_size=ks, stride=stride, num_output=nout, pad=pad, group=group)
    return conv, L.ReLU(conv, in_place=True)


def fc_relu(bottom, nout):
    fc = L.InnerProduct(bottom, num_output=nout)
    return fc, L.ReLU(fc, in_place=True)


def max_pool(bottom, ks, stride=1):
    return L.Pooling(bottom, pool=P.Pooling.MAX, kernel_size=ks, stride=stride)


def caffenet(lmdb, batch_size=256, include_acc=False):
    data, label = L.Data(source=lmdb, backend=P.Data.LMDB, batch_size=batch_size, ntop=2,
                         transform_param=dict(crop_size=227, mean_value=[104, 117, 123], mirror=True))
    conv1, relu1 = conv_relu(data, 11, 96, stride=4)
    norm1 = L.LRN(max_pool(relu1, 3, stride=2), local_size=5, alpha=1e-4, beta=0.75)
    conv2, relu2 = conv_relu(norm1, 5, 256, pad=2, group=2)
    norm2 = L.LRN(max_pool(relu2, 3, stride=2), local_size=5, alpha=1e-4, beta=0.75)
    conv3, relu3 = conv_relu(norm2, 3, 384, pad=1)
    conv4, relu4 = conv_relu(relu3, 3, 384, pad=1, group=2)
    conv5, relu5 = conv_relu(relu4, 3, 256, pad=1, group=2)
    fc6, relu6 = fc_relu(max_pool(relu5, 3, stride=2), 4096)
    fc7, relu7 = fc_relu(L.Dropout(relu6, in_place=True), 4096)
    fc8 = L.InnerProduct(L.Dropout(relu7, in_place=True), num_output=1000)
    loss = L.SoftmaxWithLoss(fc8, label)
    if include_acc:
        return to_proto(loss, L.Accuracy(fc8, label))
    return to_proto(loss)


print(caffenet("train-lmdb"))
with open("test.prototxt", "w") as f:
    print(caffenet("test-lmdb", batch_size=50, include_acc=True), file=f)
net = caffe_pb2.NetParameter()
net.CopyFrom(caffenet("both"))
net.name = "CaffeNet"
print(len(net.layer), net.layer[3].name, [layer.name for layer in net.layer if layer.type == "Pooling"])
