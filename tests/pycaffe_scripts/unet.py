# A class that holds the NetSpec, layers by getattr, skips by name, shapes from functions, solver settings by text.
from string import Template

import caffe
from caffe import layers, params, NetSpec
from caffe.net_spec import Top, Function, assign_proto, param_name_dict
from caffe.proto import caffe_pb2


class UNet(object):
    defaults = {'Convolution': dict(kernel_size=3, pad=1, weight_filler=dict(type='msra')),
                'Deconvolution': dict(convolution_param=dict(kernel_size=2, stride=2, bias_term=False))}

    def __init__(self, width, depth):
        self.spec, self.count = NetSpec(), 0
        self.spec['data'] = layers.Input(input_param={'shape': {'dim': [1, 1, 64, 64]}})
        top, skips = self.spec['data'], []
        for level in range(depth):
            top = self.double(top, width << level)
            skips.append(top)
            top = self.add('Pooling', top, pool=params.Pooling.MAX, kernel_size=2, stride=2)
        top = self.double(top, width << depth)
        for level, skip in reversed(list(enumerate(skips))):
            settings = dict(self.defaults['Deconvolution']['convolution_param'], num_output=width << level)
            top = self.add('Deconvolution', top, convolution_param=settings)
            top = self.add('Concat', self.add('Crop', skip, top, axis=2), top)
            top = self.double(top, width << level)
        self.spec.score = layers.Convolution(top, num_output=2, kernel_size=1)

    def add(self, kind, *bottoms, **settings):
        self.count += 1
        top = getattr(layers, kind)(*bottoms, **settings)
        assert isinstance(top, Top) and isinstance(top.fn, Function) and top.fn.type_name == kind
        self.spec['%s_%d' % (kind.lower(), self.count)] = top
        return top

    def double(self, top, width):
        for _ in range(2):
            top = self.add('Convolution', top, **dict(self.defaults['Convolution'], num_output=width))
            top = self.add('ReLU', top, in_place=True)
        return top


net = UNet(4, 2)
print(net.spec.to_proto())
print(len(net.spec.tops), list(net.spec.tops)[:3], net.spec.score.fn.params['num_output'])
layer = caffe_pb2.LayerParameter()
assign_proto(layer, 'pooling_param', dict(pool=params.Pooling.STOCHASTIC, kernel_size=3))
assign_proto(layer, 'bottom', ['a', 'b'])
assign_proto(layer, 'loss_weight', 2)
print(layer, param_name_dict()['InnerProduct'], 'Pooling' in param_name_dict())
print(Template('net: "$net"\nbase_lr: $lr').substitute(net='unet.prototxt', lr=1e-3))
