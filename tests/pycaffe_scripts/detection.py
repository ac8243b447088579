# In the manner of detectors: layers by name in an ordered NetSpec, settings in dicts that are handed on and changed,
# a net that is read back, edited and written, a solver from a dict.
from __future__ import print_function

from collections import OrderedDict

import caffe
from caffe import layers as L
from caffe import params as P
from caffe.proto import caffe_pb2
from google.protobuf import text_format


def conv_bn_layer(net, from_layer, out_layer, use_bn, use_relu, num_output, kernel_size, pad, stride, dilation=1,
                  lr_mult=1, **bn_params):
    if use_bn:
        kwargs = {'param': [dict(lr_mult=lr_mult, decay_mult=1)], 'weight_filler': dict(type='gaussian', std=0.01),
                  'bias_term': False}
        eps = bn_params.get('eps', 0.001)
        bn_kwargs = {'param': [dict(lr_mult=0, decay_mult=0)] * 3, 'eps': eps, 'moving_average_fraction': 0.999}
        sb_kwargs = {'bias_term': True, 'param': [dict(lr_mult=lr_mult, decay_mult=0), dict(lr_mult=lr_mult)],
                     'filler': dict(type='constant', value=1.0), 'bias_filler': dict(type='constant', value=0.0)}
    else:
        kwargs = {'param': [dict(lr_mult=lr_mult, decay_mult=1), dict(lr_mult=2 * lr_mult, decay_mult=0)],
                  'weight_filler': dict(type='xavier'), 'bias_filler': dict(type='constant', value=0)}
    kwargs.update(num_output=num_output)
    net[out_layer] = L.Convolution(net[from_layer], kernel_size=kernel_size, pad=pad, stride=stride, **kwargs)
    if dilation > 1:
        net.tops[out_layer].fn.params.update(dict(dilation=dilation))
    if use_bn:
        net['%s_bn' % out_layer] = L.BatchNorm(net[out_layer], in_place=True, **bn_kwargs)
        net['%s_scale' % out_layer] = L.Scale(net['%s_bn' % out_layer], in_place=True, **sb_kwargs)
    if use_relu:
        net['%s_relu' % out_layer] = L.ReLU(net[out_layer], in_place=True)


def body(net, from_layer):
    for block, (times, width) in enumerate([(2, 64), (2, 128), (3, 256)], 1):
        for turn in range(1, times + 1):
            name = 'conv{}_{}'.format(block, turn)
            conv_bn_layer(net, from_layer, name, block > 1, True, width, 3, 1, 1, dilation=block if block > 2 else 1)
            from_layer = name
        net['pool{}'.format(block)] = L.Pooling(net[from_layer], pool=P.Pooling.MAX, kernel_size=2, stride=2)
        from_layer = 'pool{}'.format(block)
    return net


def heads(net, names, classes, sizes):
    loc, conf = [], []
    for name, size in zip(names, sizes):
        top = net[name]
        for kind, outputs, found in (('loc', 4 * size, loc), ('conf', classes * size, conf)):
            out = '{}_mbox_{}'.format(name, kind)
            conv_bn_layer(net, name, out, False, False, outputs, 3, 1, 1, lr_mult=0.5)
            net[out + '_perm'] = L.Reshape(net[out], shape=dict(dim=[0, outputs, -1, 1]))
            net[out + '_flat'] = L.Flatten(net[out + '_perm'], axis=1)
            found.append(net[out + '_flat'])
    assert top.fn.type_name == 'Pooling' and top.n == 0
    net['mbox_loc'] = L.Concat(*loc, axis=1)
    net['mbox_conf'] = L.Concat(*conf, axis=1)
    return [net['mbox_loc'], net['mbox_conf']]


net = caffe.NetSpec()
net.data, net.label = L.Data(batch_size=2, source='x', ntop=2, include=dict(phase=caffe_pb2.Phase.Value('TRAIN')))
body(net, 'data')
mbox = heads(net, ['pool2', 'pool3'], 21, [4, 6])
name, last = list(net.tops.items())[-1]
net['mbox_conf_reshape'] = L.Reshape(last, shape=dict(dim=[0, -1, 21]))
net['mbox_conf_softmax'] = L.Softmax(net['mbox_conf_reshape'], axis=2)
del net.tops['label']
with open('net.prototxt', 'w') as f:
    print('name: "{}_train"'.format('detector'), file=f)
    print(net.to_proto(), file=f)

again = caffe_pb2.NetParameter()
with open('net.prototxt') as f:
    text_format.Merge(f.read(), again)
del again.layer[0]
for layer in again.layer:
    if layer.type == 'Convolution' and layer.HasField('convolution_param'):
        layer.convolution_param.ClearField('weight_filler')
        del layer.param[:]
again.input.extend(['data'])
again.input_shape.extend([caffe_pb2.BlobShape(dim=[1, 3, 300, 300])])
extra = again.layer.add()
extra.CopyFrom(again.layer[-2])
extra.name, extra.top[0] = 'twice', 'twice'
print(text_format.MessageToString(again.layer[-1]), len(again.layer), again.layer[2].type)
print(net.to_proto() == net.to_proto(), len(str(again)) > 1000, name)

solver_param = OrderedDict([('base_lr', 0.5), ('weight_decay', 0.25), ('lr_policy', 'multistep'), ('iter_size', 2),
                            ('stepvalue', [80000, 100000]), ('type', 'SGD'), ('snapshot_after_train', True),
                            ('solver_mode', P.Solver.GPU if hasattr(P.Solver, 'GPU') else 1)])
solver = caffe_pb2.SolverParameter(train_net='net.prototxt', test_net=['net.prototxt'], **solver_param)
with open('solver.prototxt', 'w') as f:
    print(solver, file=f)
