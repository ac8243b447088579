# Three strides in one network, crops that are computed, Python layers that are defined in the same file.
import sys

sys.path.insert(0, "no/such/caffe/python")
import caffe
from caffe import layers as L, params as P
from caffe.coord_map import crop


class Segments(caffe.Layer):
    def setup(self, bottom, top):
        self.params = eval(self.param_str)

    def reshape(self, bottom, top):
        top[0].reshape(1, *self.data.shape)


def conv_relu(bottom, nout, ks=3, stride=1, pad=1):
    conv = L.Convolution(bottom, kernel_size=ks, stride=stride, num_output=nout, pad=pad,
                         param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)])
    return conv, L.ReLU(conv, in_place=True)


def max_pool(bottom, ks=2, stride=2):
    return L.Pooling(bottom, pool=P.Pooling.MAX, kernel_size=ks, stride=stride)


def score(bottom, classes):
    return L.Convolution(bottom, num_output=classes, kernel_size=1, pad=0,
                         param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)])


def up(bottom, classes, ks, stride):
    return L.Deconvolution(bottom, param=[dict(lr_mult=0)], convolution_param=dict(
        num_output=classes, kernel_size=ks, stride=stride, bias_term=False))


def fcn(split, strides, classes=21):
    n = caffe.NetSpec()
    settings = dict(split=split, mean=(104.00699, 116.66877, 122.67892), seed=1337)
    settings["dir"] = "../data/" + ("train" if split == "train" else "val")
    n.data, n.label = L.Python(module="fcn", layer="Segments", ntop=2, param_str=str(settings))
    n.conv1_1, n.relu1_1 = conv_relu(n.data, 64, pad=100)
    n.conv1_2, n.relu1_2 = conv_relu(n.relu1_1, 64)
    n.pool1 = max_pool(n.relu1_2)
    last = n.pool1
    for block, (width, times) in enumerate([(128, 2), (256, 3), (512, 3), (512, 3)], 2):
        for turn in range(1, times + 1):
            conv, last = conv_relu(last, width)
            setattr(n, "conv%d_%d" % (block, turn), conv)
            setattr(n, "relu%d_%d" % (block, turn), last)
        last = max_pool(last)
        n["pool%d" % block] = last
    n.fc6, n.relu6 = conv_relu(n.pool5, 4096, ks=7, pad=0)
    n.drop6 = L.Dropout(n.relu6, dropout_ratio=0.5, in_place=True)
    n.fc7, n.relu7 = conv_relu(n.drop6, 4096, ks=1, pad=0)
    n.drop7 = L.Dropout(n.relu7, dropout_ratio=0.5, in_place=True)
    n.score_fr = score(n.drop7, classes)
    current, stride = n.score_fr, 32
    for pool in (n.pool4, n.pool3)[: strides - 1]:
        bigger = up(current, classes, 4, 2)
        fitting = crop(score(pool, classes), bigger)
        current, stride = L.Eltwise(bigger, fitting, operation=P.Eltwise.SUM), stride // 2
        n["fuse%d" % stride] = current
    n.upscore = up(current, classes, 2 * stride, stride)
    n.score = crop(n.upscore, n.data)
    n.loss = L.SoftmaxWithLoss(n.score, n.label, loss_param=dict(normalize=False, ignore_label=255))
    return n.to_proto()


for strides in (1, 2, 3):
    for split in ("train", "val"):
        with open("%d_%s.prototxt" % (strides, split), "w") as f:
            f.write(str(fcn(split, strides)))
