# The notebook of fine-tuning: frozen layers, settings handed on, nets in files of a moment, a deploy net of a dummy.
import os
import tempfile

import caffe
from caffe import *
from caffe import layers as L
from caffe import params as P

weight_param = dict(lr_mult=1, decay_mult=1)
bias_param = dict(lr_mult=2, decay_mult=0)
learned_param = [weight_param, bias_param]
frozen_param = [dict(lr_mult=0)] * 2


def conv_relu(bottom, ks, nout, stride=1, pad=0, group=1, param=learned_param,
              weight_filler=dict(type='gaussian', std=0.01), bias_filler=dict(type='constant', value=0.1)):
    conv = L.Convolution(bottom, kernel_size=ks, stride=stride, num_output=nout, pad=pad, group=group,
                         param=param, weight_filler=weight_filler, bias_filler=bias_filler)
    return conv, L.ReLU(conv, in_place=True)


def fc_relu(bottom, nout, param=learned_param, weight_filler=dict(type='gaussian', std=0.005),
            bias_filler=dict(type='constant', value=0.1)):
    fc = L.InnerProduct(bottom, num_output=nout, param=param, weight_filler=weight_filler, bias_filler=bias_filler)
    return fc, L.ReLU(fc, in_place=True)


def net(data, label=None, train=True, num_classes=1000, classifier_name='fc8', learn_all=False):
    n = caffe.NetSpec()
    n.data = data
    param = learned_param if learn_all else frozen_param
    n.conv1, n.relu1 = conv_relu(n.data, 11, 96, stride=4, param=param)
    n.pool1 = L.Pooling(n.relu1, pool=P.Pooling.MAX, kernel_size=3, stride=2)
    n.norm1 = L.LRN(n.pool1, local_size=5, alpha=1e-4, beta=0.75)
    n.conv2, n.relu2 = conv_relu(n.norm1, 5, 256, pad=2, group=2, param=param)
    n.fc6, n.relu6 = fc_relu(n.relu2, 4096, param=param)
    if train:
        n.drop6 = fc7input = L.Dropout(n.relu6, in_place=True)
    else:
        fc7input = n.relu6
    n.fc7, n.relu7 = fc_relu(fc7input, 4096, param=param)
    fc8 = L.InnerProduct(n.relu7, num_output=num_classes, param=learned_param)
    n.__setattr__(classifier_name, fc8)
    if not train:
        n.probs = L.Softmax(fc8)
    if label is not None:
        n.label = label
        n.loss = L.SoftmaxWithLoss(fc8, n.label)
        n.acc = L.Accuracy(fc8, n.label)
    with tempfile.NamedTemporaryFile('w', dir='.', delete=False) as f:
        f.write(str(n.to_proto()))
        return f.name


def show(path):
    with open(path) as f:
        print(f.read())
    os.remove(path)


def style(split, **settings):
    data, label = L.ImageData(transform_param=dict(mirror=split == 'train', crop_size=227, mean_file='mean'),
                              source='style/%s.txt' % split, batch_size=50, new_height=256, new_width=256, ntop=2)
    return net(data, label, train=split == 'train', num_classes=20, classifier_name='fc8_flickr', **settings)


show(style('train'))
show(style('test', learn_all=True))
dummy = L.DummyData(shape=dict(dim=[1, 3, 227, 227]))
show(net(data=dummy, train=False))
print(TRAIN, TEST, set_mode_gpu.__name__ != "", [name for name in ('Net', 'SGDSolver', 'io') if name in globals()])
