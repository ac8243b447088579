# Branches in a dict, auxiliary losses with weights, names with slashes.
import caffe
from caffe import layers as L, params as P


def conv(bottom, ks, nout, pad=0, stride=1):
    made = L.Convolution(bottom, kernel_size=ks, num_output=nout, pad=pad, stride=stride,
                         param=[{'lr_mult': 1, 'decay_mult': 1}, {'lr_mult': 2, 'decay_mult': 0}],
                         weight_filler={'type': 'xavier', 'std': 0.1}, bias_filler={'type': 'constant', 'value': 0.2})
    return made, L.ReLU(made, in_place=True)


def inception(n, name, bottom, widths):
    out = []
    for branch, steps in (('1x1', [(1, 0)]), ('3x3', [(1, 0), (3, 1)]), ('5x5', [(1, 0), (5, 2)])):
        top = bottom
        for index, (ks, pad) in enumerate(steps):
            label = 'inception_%s/%s%s' % (name, branch, '_reduce' if index + 1 < len(steps) else '')
            n[label], top = conv(top, ks, widths.pop(0), pad)
            n['inception_%s/relu_%s' % (name, label.split('/')[1])] = top
        out.append(top)
    pool = L.Pooling(bottom, pool=P.Pooling.MAX, kernel_size=3, stride=1, pad=1)
    n['inception_%s/pool' % name] = pool
    n['inception_%s/pool_proj' % name], proj = conv(pool, 1, widths.pop(0))
    n['inception_%s/output' % name] = L.Concat(*(out + [proj]))
    return n['inception_%s/output' % name]


def googlenet(batch_size):
    n = caffe.NetSpec()
    n.data, n.label = L.ImageData(source='list.txt', batch_size=batch_size, shuffle=True, ntop=2, is_color=True,
                                  transform_param=dict(mirror=True, crop_size=224, mean_value=[104., 117., 123.]))
    n['conv1/7x7_s2'], n['conv1/relu_7x7'] = conv(n.data, 7, 64, 3, 2)
    n['pool1/norm1'] = L.LRN(n['conv1/relu_7x7'], local_size=5, alpha=.0001, beta=.75,
                             norm_region=P.LRN.ACROSS_CHANNELS)
    top = n['pool1/norm1']
    for turn, name in enumerate(('3a', '3b', '4a')):
        top = inception(n, name, top, [64, 96, 128, 16, 32, 32])
        ip = L.InnerProduct(L.Pooling(top, pool=P.Pooling.AVE, kernel_size=5, stride=3), num_output=1000)
        n['loss%d/loss' % turn] = L.SoftmaxWithLoss(ip, n.label, loss_weight=0.3 if turn < 2 else 1)
        n['loss%d/top' % turn] = L.Accuracy(ip, n.label, include=[dict(phase=caffe.TEST, stage=['val'])], top_k=5)
    return n


n = googlenet(32)
print(n.to_proto())
print(n['loss2/loss'].to_proto())
