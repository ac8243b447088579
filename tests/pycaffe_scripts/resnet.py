# Code that is put together as text, layers made by name, one function for both phases.
import caffe
from caffe import layers as L
from caffe import params as P

BLOCK = '''
n.{name}_branch2a, n.{name}_branch2a_bn, n.{name}_branch2a_scale, n.{name}_branch2a_relu = conv_bn(
    n.{bottom}, {width}, 1, stride={stride})
n.{name}_branch2b, n.{name}_branch2b_bn, n.{name}_branch2b_scale, n.{name}_branch2b_relu = conv_bn(
    n.{name}_branch2a, {width}, 3, pad=1)
n.{name}_branch2c, n.{name}_branch2c_bn, n.{name}_branch2c_scale = conv_bn(
    n.{name}_branch2b, 4 * {width}, 1, relu=False)
'''
PROJECT = '''
n.{name}_branch1, n.{name}_bn, n.{name}_scale = conv_bn(n.{bottom}, 4 * {width}, 1, stride={stride}, relu=False)
'''
SUM = '''
n.{name} = L.Eltwise(n.{one}, n.{name}_branch2c, operation=P.Eltwise.SUM)
n.{name}_relu = L.ReLU(n.{name}, in_place=True)
'''
phase = None


def conv_bn(bottom, width, ks, stride=1, pad=0, relu=True):
    conv = L.Convolution(bottom, num_output=width, kernel_size=ks, stride=stride, pad=pad, bias_term=False,
                         param=[dict(lr_mult=1, decay_mult=1)], weight_filler=dict(type='msra'))
    bn = L.BatchNorm(conv, use_global_stats=phase == caffe.TEST, in_place=True)
    scale = L.Scale(bn, scale_param=dict(bias_term=True), in_place=True)
    return (conv, bn, scale) + ((L.ReLU(scale, in_place=True),) if relu else ())


def resnet(stages=(2, 1), batch_size=4):
    n = caffe.NetSpec()
    n.data, n.label = L.Data(source="x", backend=P.Data.LMDB, batch_size=batch_size, ntop=2,
                             transform_param=dict(crop_size=224, mean_value=[104, 117, 123],
                                                  mirror=phase == caffe.TRAIN))
    n.conv1, n.conv1_bn, n.conv1_scale, n.conv1_relu = conv_bn(n.data, 64, 7, stride=2, pad=3)
    n.pool1 = L.Pooling(n.conv1, kernel_size=3, stride=2, pool=P.Pooling.MAX)
    last = 'pool1'
    for stage, times in enumerate(stages):
        for turn in range(times):
            names = dict(name='res%d%s' % (stage + 2, chr(97 + turn)), bottom=last, width=64 * 2 ** stage,
                         stride=2 if stage and not turn else 1)
            exec(BLOCK.format(**names))
            if turn == 0:
                exec(PROJECT.format(**names))
            exec(SUM.format(one=names['name'] + '_branch1' if turn == 0 else last, **names))
            last = names['name']
    n.pool5 = L.Pooling(n.tops[last], global_pooling=True, pool=P.Pooling.AVE)
    n.classifier = getattr(L, 'InnerProduct')(n.pool5, num_output=1000, bias_filler={'type': 'constant', 'value': 0})
    n.loss = L.SoftmaxWithLoss(n.classifier, n.label, loss_weight=1)
    if phase == caffe.TEST:
        for k in (1, 5):
            n['acc_top%d' % k] = L.Accuracy(n.classifier, n.label, include=dict(phase=caffe.TEST),
                                            accuracy_param=dict(top_k=k))
    return n.to_proto()


for phase in (caffe.TRAIN, caffe.TEST):
    print(resnet())
phase = caffe.TEST
print(resnet(stages=(1, 2, 1), batch_size=1).layer[-1].accuracy_param.top_k)
