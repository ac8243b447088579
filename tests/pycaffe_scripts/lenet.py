# The notebook of LeNet, its solver message, and the training that cannot be here.
import os

os.environ["GLOG_minloglevel"] = "2"
import tempfile

import numpy as np
import caffe
from caffe import layers as L, params as P
from caffe.proto import caffe_pb2

caffe.set_mode_cpu()
caffe.set_random_seed(831)


def lenet(lmdb, batch_size):
    n = caffe.NetSpec()
    n.data, n.label = L.Data(batch_size=batch_size, backend=P.Data.LMDB, source=lmdb,
                             transform_param=dict(scale=1./255), ntop=2)
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, weight_filler=dict(type='xavier'))
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.conv2 = L.Convolution(n.pool1, kernel_size=5, num_output=50, weight_filler=dict(type='xavier'))
    n.pool2 = L.Pooling(n.conv2, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.fc1 = L.InnerProduct(n.pool2, num_output=500, weight_filler=dict(type='xavier'))
    n.relu1 = L.ReLU(n.fc1, in_place=True)
    n.score = L.InnerProduct(n.relu1, num_output=10, weight_filler=dict(type='xavier'))
    n.loss = L.SoftmaxWithLoss(n.score, n.label)
    return n.to_proto()


with open("train.prototxt", "w") as f:
    f.write(str(lenet("mnist/train_lmdb", 64)))
with open("test.prototxt", "w") as f:
    f.write(str(lenet("mnist/test_lmdb", 100)))

s = caffe_pb2.SolverParameter()
s.random_seed = 0xCAFFE
s.train_net = "train.prototxt"
s.test_net.append("test.prototxt")
s.test_interval, s.max_iter = 500, 10000
s.test_iter.append(100)
s.type = "SGD"
s.base_lr, s.momentum, s.weight_decay = 0.01, 0.75, 5e-4
s.lr_policy, s.gamma, s.power = "inv", 0.0001, 0.75
s.display, s.snapshot, s.snapshot_prefix = 1000, 5000, "mnist/custom_net"
s.solver_mode = caffe_pb2.SolverParameter.SolverMode.Value("GPU")
with open("solver.prototxt", "w") as f:
    f.write(str(s))
print(np.prod(lenet("x", 1).layer[1].convolution_param.kernel_size), tempfile.gettempdir() != "")
solver = None
if os.environ.get("TRAIN"):
    solver = caffe.get_solver("solver.prototxt")
    solver.step(1)
