# A net that is built and then looked at: shapes, params and counts, an input through the Transformer, a result.
import os

os.environ['GLOG_minloglevel'] = '2'
import numpy as np
import caffe
from caffe import layers as L, params as P

n = caffe.NetSpec()
n.data = L.Input(shape=[dict(dim=[1, 3, 12, 10])])
n.conv1 = L.Convolution(n.data, kernel_size=3, num_output=4, weight_filler=dict(type='constant', value=0.01))
n.relu1 = L.ReLU(n.conv1, in_place=True)
n.pool1 = L.Pooling(n.relu1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
n.ip1 = L.InnerProduct(n.pool1, num_output=5, weight_filler=dict(type='constant', value=0.5))
n.prob = L.Softmax(n.ip1)
with open('deploy.prototxt', 'w') as f:
    f.write(str(n.to_proto()))
caffe.set_mode_cpu()
net = caffe.Net('deploy.prototxt', caffe.TEST)
for name, blob in net.blobs.items():
    print('%-8s %s' % (name, tuple(blob.data.shape)))
for name, (weights, biases) in net.params.items():
    print(name, weights.data.shape, biases.data.shape, sum(np.prod(blob.data.shape) for blob in net.params[name]))
transformer = caffe.io.Transformer({'data': net.blobs['data'].data.shape})
transformer.set_transpose('data', (2, 0, 1))
transformer.set_mean('data', np.array([10., 20., 30.]))
transformer.set_raw_scale('data', 255)
transformer.set_channel_swap('data', (2, 1, 0))
image = np.linspace(0, 1, 12 * 10 * 3).reshape(12, 10, 3).astype(np.float32)
net.blobs['data'].data[...] = transformer.preprocess('data', image)
net.params['ip1'][0].data[...] = np.arange(4 * 5 * 4 * 5).reshape(5, 80) / 1e4
output = net.forward()
print(sorted(output), output['prob'][0].argmax(), ['%.4f' % value for value in net.blobs['prob'].data[0]])
print(net.inputs, net.outputs, [layer.type for layer in net.layers], list(net.bottom_names['pool1']))
net.blobs['data'].reshape(2, 3, 12, 10)
net.reshape()
print(net.blobs['prob'].data.shape, net.blobs['conv1'].num, net.forward(data=np.zeros((2, 3, 12, 10)))['prob'][1, 0])
net.save('weights.caffemodel')
again = caffe.Net('deploy.prototxt', 'weights.caffemodel', caffe.TEST)
print(again.params['ip1'][0].data[4, 79] == net.params['ip1'][0].data[4, 79])
