# Sides of different scales brought to one size, losses deep inside, weights given as strings of Python.
from caffe import layers as L, params as P
from caffe.coord_map import crop, coord_map_from_to
import caffe


def sides(n, tops, weights):
    found = []
    for number, (top, weight) in enumerate(zip(tops, weights), 1):
        score = L.Convolution(top, num_output=1, kernel_size=1, param=[dict(lr_mult=0.01), dict(lr_mult=0.02)])
        n['score_dsn%d' % number] = score
        if number > 1:
            factor = 2 ** (number - 1)
            score = L.Deconvolution(score, param=dict(lr_mult=0, decay_mult=1), convolution_param=dict(
                num_output=1, kernel_size=2 * factor, stride=factor, weight_filler=dict(type='bilinear')))
        n['upscore_dsn%d' % number] = crop(score, n.data)
        n['dsn%d_loss' % number] = L.SigmoidCrossEntropyLoss(n['upscore_dsn%d' % number], n.label, loss_weight=weight)
        found.append(n['upscore_dsn%d' % number])
    return found


n = caffe.NetSpec()
n.data = L.ImageData(source='list', batch_size=1, ntop=1, transform_param={'mean_value': [104, 117, 123]})
n.label = L.Python(python_param=dict(module='edges', layer='Labels', param_str=repr({'a': [1, 2], 'b': 'x"y'})))
tops, last = [], n.data
for block in range(3):
    n['conv%d' % block] = L.Convolution(last, num_output=8, kernel_size=3, pad=35 if block == 0 else 1)
    n['relu%d' % block] = L.ReLU(n['conv%d' % block], in_place=True)
    tops.append(n['relu%d' % block])
    last = L.Pooling(n['relu%d' % block], pool=P.Pooling.MAX, kernel_size=2, stride=2)
found = sides(n, tops, [1, 0.5, 0.25])
n.concat = L.Concat(*found, axis=1)
n.fuse = L.Convolution(n.concat, num_output=1, kernel_size=1, weight_filler=dict(type='constant', value=1. / 3))
n.sigmoid = L.Sigmoid(n.fuse)
print(n.to_proto())
for top in found + tops:
    axis, a, b = coord_map_from_to(top, n.data)
    print(axis, [float(x) for x in a.ravel()], [float(x) for x in b.ravel()])
