# Recurrent layers step by step, fillers shared by reference, numbers from numpy.
import numpy as np
import caffe
from caffe import layers as L, params as P

uniform = dict(type='uniform', min=-0.08, max=0.08)
steps, batch, words = np.int64(3), 16, 8801
n = caffe.NetSpec()
n.frames, n.labels, n.clips = L.DummyData(
    shape=[dict(dim=[int(steps) * batch, 3, 8, 8]), dict(dim=[int(steps), batch]), dict(dim=[int(steps), batch])],
    data_filler=[dict(type='gaussian', std=float(np.sqrt(2.) / 8)), dict(), dict(type='constant', value=1)], ntop=3)
n.fc = L.InnerProduct(n.frames, num_output=int(np.floor(10.5)), weight_filler=uniform,
                      bias_filler=dict(value=np.float32(0.5)))
n.sequence = L.Reshape(n.fc, reshape_param=dict(shape=dict(dim=[int(steps), batch, -1])))
n.lstm1 = L.LSTM(n.sequence, n.clips, recurrent_param=dict(num_output=256, weight_filler=uniform,
                                                          bias_filler=dict(value=0)))
n.rnn = L.RNN(n.lstm1, n.clips, recurrent_param=dict(num_output=32, weight_filler=uniform, expose_hidden=False))
hidden = [L.InnerProduct(top, num_output=8, axis=2, param=[dict(name='w'), dict(name='b', lr_mult=2)])
          for top in L.Slice(n.rnn, ntop=int(steps), axis=0, slice_point=list(range(1, int(steps))))]
n.joined = L.Concat(*hidden, concat_param=dict(axis=0))
n.embedded = L.Embed(n.labels, input_dim=words, num_output=8, bias_term=False, weight_filler=uniform)
n.scored = L.Eltwise(n.joined, n.embedded, operation=P.Eltwise.PROD)
n.predict = L.InnerProduct(n.scored, num_output=words, axis=2, weight_filler=uniform)
n.cross_entropy_loss = L.SoftmaxWithLoss(n.predict, n.labels, loss_weight=20, softmax_param=dict(axis=2),
                                         loss_param=dict(ignore_label=-1))
n.accuracy = L.Accuracy(n.predict, n.labels, axis=2, ignore_label=-1,
                        include=dict(phase=caffe.TEST, not_stage='predict'))
n.probs = L.Softmax(n.predict, axis=2, include=dict(phase=1, stage=['test-on-train', 'predict']))
for top in (n.probs, n.accuracy):
    print(top.to_proto())
print(n.to_proto())
