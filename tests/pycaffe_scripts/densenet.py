# Blocks in loops without names, in place on what was concatenated, mirrored settings, stages by argument.
from __future__ import print_function

import argparse

from caffe import layers as L, params as P, to_proto
from caffe.proto import caffe_pb2


def bn_relu_conv(bottom, ks, nout, stride, pad, dropout):
    batch_norm = L.BatchNorm(bottom, in_place=False, param=[dict(lr_mult=0, decay_mult=0)] * 3)
    scale = L.Scale(batch_norm, bias_term=True, in_place=True, filler=dict(value=1), bias_filler=dict(value=0))
    relu = L.ReLU(scale, in_place=True)
    conv = L.Convolution(relu, kernel_size=ks, stride=stride, num_output=nout, pad=pad, bias_term=False,
                         weight_filler=dict(type='msra'), bias_filler=dict(type='constant'))
    return L.Dropout(conv, dropout_ratio=dropout) if dropout > 0 else conv


def add_layer(bottom, filters, dropout):
    return L.Concat(bottom, bn_relu_conv(bottom, 3, filters, 1, 1, dropout), axis=1)


def transition(bottom, filters, dropout):
    conv = bn_relu_conv(bottom, ks=1, nout=filters, stride=1, pad=0, dropout=dropout)
    return L.Pooling(conv, pool=P.Pooling.AVE, kernel_size=2, stride=2)


def densenet(source, mode='train', batch_size=64, depth=16, first=16, growth=12, dropout=0.2):
    data, label = L.Data(source=source, backend=P.Data.LMDB, batch_size=batch_size, ntop=2,
                         transform_param=dict(mean_file='mean.binaryproto'))
    width, layer = first, (depth - 4) // 3
    model = L.Convolution(data, kernel_size=3, stride=1, num_output=width, pad=1, bias_term=False,
                          weight_filler=dict(type='msra'))
    for block in range(3):
        for _ in range(layer):
            model = add_layer(model, growth, dropout)
            width += growth
        if block < 2:
            model = transition(model, width, dropout)
    model = L.ReLU(L.Scale(L.BatchNorm(model, in_place=False), bias_term=True, in_place=True), in_place=True)
    model = L.InnerProduct(L.Pooling(model, pool=P.Pooling.AVE, global_pooling=True), num_output=10, bias_term=True,
                           weight_filler=dict(type='xavier'))
    loss = L.SoftmaxWithLoss(model, label)
    return to_proto(loss, L.Accuracy(model, label)) if mode != 'train' else to_proto(loss)


parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, default=16)
depth = parser.parse_args().depth
for mode in ('train', 'test'):
    with open('%s_densenet.prototxt' % mode, 'w') as f:
        print(str(densenet('%s.lmdb' % mode, mode, batch_size=50 + 14 * (mode == 'train'), depth=depth)), file=f)
solver = caffe_pb2.SolverParameter(train_net='train_densenet.prototxt', base_lr=0.1, solver_type=0)
solver.stepvalue.extend([115000, 172500])
print(solver)
