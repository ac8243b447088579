# Hundreds of layers, names in loops, one list of settings for all.
import caffe
from caffe import layers as L

n = caffe.NetSpec()
n.x0 = L.DummyData(dummy_data_param=dict(shape=dict(dim=[1, 4, 8, 8]), data_filler=dict(type='constant', value=-1.5)))
for i in range(150):
    n['x%d' % (i + 1)] = L.Convolution(n['x%d' % i], num_output=4, kernel_size=[3, 1][i % 2], pad=[1, 0][i % 2])
top = n.x150
for i in range(60):
    top = L.Eltwise(top, L.Power(top, power=0.5 + i, scale=1e-3 * i, shift=-i))
n.out = L.Scale(top, axis=1, num_axes=-1, bias_term=i > 3)
n.out = L.PReLU(n.out, channel_shared=True, filler=dict(value=0.25))
n.flat = n.reshaped = L.Flatten(n.out)
print(n.to_proto())
