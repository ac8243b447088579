# Two branches with shared blobs, slices, layers without tops, one loss of several bottoms.
import caffe
from caffe import layers as L, params as P


class Builder(caffe.NetSpec):
    """A NetSpec with helpers of its own."""

    def branch(self, bottom, suffix):
        param = lambda name: [dict(name=name + '_w', lr_mult=1), dict(name=name + '_b', lr_mult=2)]
        self['conv1' + suffix] = L.Convolution(bottom, num_output=20, kernel_size=5, stride=1, param=param('conv1'),
                                               weight_filler=dict(type='xavier'), engine=P.Convolution.CAFFE)
        self['pool1' + suffix] = L.Pooling(self['conv1' + suffix], pool=P.Pooling.MAX, kernel_size=2, stride=2)
        self['ip1' + suffix] = L.InnerProduct(self['pool1' + suffix], num_output=500, param=param('ip1'))
        self['relu1' + suffix] = L.ReLU(self['ip1' + suffix], in_place=True, negative_slope=0.1)
        self['feat' + suffix] = L.InnerProduct(self['relu1' + suffix], num_output=2, param=param('feat'))
        return self['feat' + suffix]


n = Builder()
n.pair_data, n.sim = L.Data(source='pairs', batch_size=64, scale=0.00390625, ntop=2, backend=P.Data.LEVELDB)
n.data, n.data_p = L.Slice(n.pair_data, ntop=2, slice_dim=1, slice_point=1)
one, other = n.branch(n.data, ''), n.branch(n.data_p, '_p')
n.loss = L.ContrastiveLoss(one, other, n.sim, margin=1, propagate_down=[True, True, False])
n.distance = L.Reduction(L.Eltwise(one, other, operation=P.Eltwise.SUM, coeff=[1, -1]), operation=P.Reduction.SUMSQ)
n.quiet = L.Silence(n.distance, n.sim, ntop=0)
print(n.to_proto())
three = L.Slice(n.data, name='three', ntop=3, axis=1, slice_point=[2, 4])
print(caffe.to_proto(*three))
print(caffe.to_proto(three[1], L.Split(three[2], ntop=2)[0]))
