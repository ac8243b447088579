"""Scripts as people write them for pycaffe's NetSpec; `caffe` is pycaffe, or our netspec module.

They run in Caffe's own Python too, where nothing of ours is imported.
"""

from __future__ import annotations

import random


def fcn_skips(caffe):
    """FCN-8s: three scores of different strides, added up; Python data layer."""
    L, P = caffe.layers, caffe.params

    def conv_relu(bottom, nout, ks=3, stride=1, pad=1):
        conv = L.Convolution(bottom, kernel_size=ks, stride=stride, num_output=nout, pad=pad,
                             param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)])
        return conv, L.ReLU(conv, in_place=True)

    def max_pool(bottom, ks=2, stride=2):
        return L.Pooling(bottom, pool=P.Pooling.MAX, kernel_size=ks, stride=stride)

    def score(bottom):
        return L.Convolution(bottom, num_output=21, kernel_size=1, pad=0,
                             param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)])

    def up(bottom, ks, stride):
        return L.Deconvolution(bottom, convolution_param=dict(
            num_output=21, kernel_size=ks, stride=stride, bias_term=False), param=[dict(lr_mult=0)])

    n = caffe.NetSpec()
    settings = dict(split="train", mean=(104.00699, 116.66877, 122.67892), seed=1337)
    n.data, n.label = L.Python(module="voc_layers", layer="VOCSegDataLayer", ntop=2,
                               param_str=str(settings))
    n.conv1_1, n.relu1_1 = conv_relu(n.data, 64, pad=100)
    n.pool1 = max_pool(n.relu1_1)
    bottom = n.pool1
    for stage in (2, 3, 4):
        conv, relu = conv_relu(bottom, 64 * stage)
        setattr(n, "conv%d_1" % stage, conv)
        setattr(n, "relu%d_1" % stage, relu)
        bottom = max_pool(relu)
        n["pool%d" % stage] = bottom
    n.fc6, n.relu6 = conv_relu(n.pool4, 4096, ks=7, pad=0)
    n.drop6 = L.Dropout(n.relu6, dropout_ratio=0.5, in_place=True)
    n.score_fr = score(n.drop6)
    n.upscore2 = up(n.score_fr, 4, 2)
    n.score_pool3 = score(n.pool3)
    n.score_pool3c = L.Crop(n.score_pool3, n.upscore2, crop_param=dict(axis=2, offset=9))
    n.fuse = L.Eltwise(n.upscore2, n.score_pool3c, operation=P.Eltwise.SUM)
    n.upscore8 = up(n.fuse, 16, 8)
    n.score = L.Crop(n.upscore8, n.data, axis=2, offset=[31, 31])
    n.loss = L.SoftmaxWithLoss(n.score, n.label, loss_param=dict(normalize=False, ignore_label=255))
    return n.to_proto()


def resnet(caffe):
    """Blocks made by functions, few of whose tops are named."""
    L, P, to_proto = caffe.layers, caffe.params, caffe.to_proto

    def conv_bn(bottom, nout, ks, stride=1, pad=0):
        conv = L.Convolution(bottom, kernel_size=ks, stride=stride, num_output=nout, pad=pad,
                             bias_term=False, weight_filler=dict(type="msra"))
        bn = L.BatchNorm(conv, in_place=True, param=[dict(lr_mult=0)] * 3)
        return L.Scale(bn, scale_param=dict(bias_term=True), in_place=True)

    def block(bottom, nout, stride=1):
        branch = L.ReLU(conv_bn(bottom, nout, 1, stride), in_place=True)
        branch = L.ReLU(conv_bn(branch, nout, 3, pad=1), in_place=True)
        branch = conv_bn(branch, 4 * nout, 1)
        side = bottom if stride == 1 and nout == 0 else conv_bn(bottom, 4 * nout, 1, stride)
        return L.ReLU(L.Eltwise(side, branch, operation=P.Eltwise.SUM), in_place=True)

    data, label = L.Data(source="train_lmdb", backend=P.Data.LMDB, batch_size=32, ntop=2,
                         transform_param=dict(crop_size=224, mean_value=[104, 117], mirror=True))
    top = L.Pooling(L.ReLU(conv_bn(data, 64, 7, 2, 3), in_place=True), kernel_size=3, stride=2)
    for nout, stride in ((64, 1), (128, 2), (256, 2)):
        top = block(top, nout, stride)
    pool = L.Pooling(top, pool=P.Pooling.AVE, global_pooling=True)
    fc = L.InnerProduct(pool, num_output=1000, weight_filler=dict(type="xavier"))
    loss = L.SoftmaxWithLoss(fc, label)
    accuracy = L.Accuracy(fc, label, include=dict(phase=caffe.TEST), top_k=5)
    return to_proto(loss, accuracy)


def inception(caffe):
    """Modules of four branches; names by setattr and by item."""
    L, P = caffe.layers, caffe.params
    n = caffe.NetSpec()

    def factory(name, bottom, nout, ks, pad=0):
        n[name] = L.Convolution(bottom, num_output=nout, kernel_size=ks, pad=pad,
                                weight_filler=dict(type="xavier"),
                                bias_filler=dict(type="constant", value=0.2))
        n[name + "/relu"] = L.ReLU(n[name], in_place=True)
        return n[name + "/relu"]

    def module(name, bottom, outs):
        a = factory(name + "/1x1", bottom, outs[0], 1)
        b = factory(name + "/3x3", factory(name + "/3x3_reduce", bottom, outs[1], 1), outs[2], 3, 1)
        c = factory(name + "/5x5", factory(name + "/5x5_reduce", bottom, outs[3], 1), outs[4], 5, 2)
        setattr(n, name + "/pool", L.Pooling(bottom, kernel_size=3, stride=1, pad=1,
                                             pool=P.Pooling.MAX))
        d = factory(name + "/pool_proj", getattr(n, name + "/pool"), outs[5], 1)
        setattr(n, name + "/output", L.Concat(a, b, c, d, concat_param=dict(axis=1)))
        return n[name + "/output"]

    n.data = L.Input(input_param=dict(shape=[dict(dim=[10, 3, 224, 224])]))
    n.norm1 = L.LRN(n.data, local_size=5, alpha=1e-4, beta=0.75,
                    norm_region=P.LRN.WITHIN_CHANNEL)
    top = module("inception_3a", n.norm1, (64, 96, 128, 16, 32, 32))
    top = module("inception_3b", top, (128, 128, 192, 32, 96, 64))
    n.pool = L.Pooling(top, pool=P.Pooling.AVE, kernel_size=7, stride=1)
    n.drop = L.Dropout(n.pool, dropout_ratio=0.4, in_place=True)
    n.prob = L.Softmax(L.InnerProduct(n.drop, num_output=1000))
    proto = n.to_proto()
    proto.name = "GoogLeNet"
    return proto


def caffenet_phases(caffe):
    """One net for training and testing: two data layers with the same tops' names."""
    L, P = caffe.layers, caffe.params

    def data(source, phase, batch):
        return L.Data(name="data", ntop=2, include={"phase": phase},
                      data_param=dict(source=source, batch_size=batch, backend=P.Data.LMDB),
                      transform_param=dict(mirror=phase == caffe.TRAIN, crop_size=227,
                                           mean_file="mean.binaryproto"))

    n = caffe.NetSpec()
    n.data, n.label = data("train", caffe.TRAIN, 256)
    text = str(n.to_proto())
    n.data, n.label = data("val", caffe.TEST, 50)
    n.conv1 = L.Convolution(n.data, num_output=96, kernel_size=11, stride=4, group=1,
                            weight_filler=dict(type="gaussian", std=0.01),
                            engine=P.Convolution.CAFFE)
    n.relu1 = L.ReLU(n.conv1, in_place=True, negative_slope=0.1)
    n.fc = L.InnerProduct(n.relu1, num_output=10, param=dict(lr_mult=10), axis=-1)
    n.loss = L.SoftmaxWithLoss(n.fc, n.label, loss_weight=0.3, softmax_param=dict(axis=1),
                               exclude=[dict(phase=caffe.TEST, stage="deploy", max_level=2)])
    n.silence = L.Silence(n.fc, ntop=0)
    return text + str(n.to_proto())


def siamese(caffe):
    """Two towers with shared weights, sliced data, a contrastive loss."""
    L, n = caffe.layers, caffe.NetSpec()

    def tower(bottom, suffix):
        for number, nout in enumerate((20, 50)):
            names = ["conv%d_%s" % (number, kind) for kind in "wb"]
            bottom = L.Convolution(bottom, num_output=nout, kernel_h=5, kernel_w=3,
                                   param=[dict(name=name, lr_mult=1 + i)
                                          for i, name in enumerate(names)])
            setattr(n, "conv%d%s" % (number, suffix), bottom)
            bottom = L.PReLU(bottom, in_place=True, filler=dict(value=0.25), channel_shared=False)
        return bottom

    n.pair_data, n.sim = L.Data(source="pairs", ntop=2, batch_size=64, scale=0.00390625)
    n.data, n.data_p = L.Slice(n.pair_data, axis=1, slice_point=1, ntop=2)
    left, right = tower(n.data, ""), tower(n.data_p, "_p")
    n.feat = L.InnerProduct(left, num_output=2)
    n.feat_p = L.InnerProduct(right, num_output=2)
    n.loss = L.ContrastiveLoss(n.feat, n.feat_p, n.sim, margin=1, propagate_down=[1, 1, 0])
    return n.to_proto()


def captions(caffe):
    """A recurrent net; dummy data; the settings dict that is used twice."""
    L, P = caffe.layers, caffe.params
    n = caffe.NetSpec()
    filler = dict(type="uniform", min=-0.08, max=0.08)
    n.cont, n.words = L.DummyData(shape=[dict(dim=[20, 16]), dict(dim=[20, 16])],
                                  data_filler=[dict(type="constant", value=1), dict()], ntop=2)
    n.embedded = L.Embed(n.words, input_dim=8801, num_output=1000, bias_term=False,
                         weight_filler=filler)
    n.lstm = L.LSTM(n.embedded, n.cont,
                    recurrent_param=dict(num_output=1000, weight_filler=filler,
                                         bias_filler=dict(type="constant", value=0)))
    n.predict = L.InnerProduct(n.lstm, num_output=8801, axis=2, weight_filler=filler)
    n.reshaped = L.Reshape(n.predict, shape=dict(dim=[0, -1, 1, 1]))
    n.sum = L.Reduction(n.reshaped, operation=P.Reduction.ASUM, axis=-1, coeff=2)
    n.custom = L.MyOwnLayer(n.sum, n.cont, name="renamed", ntop=1)
    return n.to_proto()


def random_nets(caffe):
    """Nets of random shape: names given, taken away and doubled, in place, tops of all counts."""
    texts = []
    for seed in range(150):
        rng = random.Random(seed)
        n, tops = caffe.NetSpec(), []
        tops.append(caffe.layers.Input(shape=dict(dim=[1, seed])))
        for _ in range(rng.randint(1, 25)):
            bottoms = [rng.choice(tops) for _ in range(rng.choice([0, 1, 1, 1, 2, 3]))]
            settings = {}
            if bottoms and rng.random() < 0.3:
                settings["in_place"] = rng.random() < 0.8
            ntop = len(bottoms) if settings.get("in_place") else rng.choice([0, 1, 1, 1, 2, 3])
            if ntop != 1 or rng.random() < 0.2:
                settings["ntop"] = ntop
            if rng.random() < 0.3:
                settings["loss_weight"] = [rng.random() for _ in range(rng.randint(1, 3))]
            if rng.random() < 0.1:
                settings["name"] = "given"
            kind = rng.choice(["ReLU", "Pooling", "Split", "Other", "Silence"])
            made = getattr(caffe.layers, kind)(*bottoms, **settings)
            if ntop == 0:
                n["s%d" % rng.randint(0, 3)] = made
                continue
            made = list(made) if ntop > 1 else [made]
            tops.extend(made)
            for top in made:
                while rng.random() < 0.5:
                    n["t%d" % rng.randint(0, 12)] = top
        texts.append(str(n.to_proto()))
        texts.append(str(caffe.to_proto(*rng.sample(tops, min(3, len(tops))))))
    return "\n".join(texts)


def chain_of_windows(caffe):
    """Tops between which a coordinate map exists."""
    L, n = caffe.layers, caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 1, 50, 50]))
    n.conv = L.Convolution(n.data, num_output=1, kernel_size=5, stride=2, pad=10)
    n.pool = L.Pooling(L.ReLU(n.conv, in_place=True), kernel_size=2, stride=2)
    n.up = L.Deconvolution(n.pool, convolution_param=dict(num_output=1, kernel_size=8, stride=4))
    return n


#: Every script that prints a network.
SCRIPTS = [fcn_skips, resnet, inception, caffenet_phases, siamese, captions, random_nets]
