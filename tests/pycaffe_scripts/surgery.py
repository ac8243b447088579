# A net and its weights as messages: read, merged, renamed and written, with arrays on the way.
import os
import sys

import numpy as np
import caffe
import caffe.proto.caffe_pb2 as caffe_pb2
from google.protobuf import text_format

TEXT = '''
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {
  num_output: 3 kernel_size: 3 bias_term: false weight_filler { type: "constant" value: 0.5 } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" batch_norm_param { use_global_stats: true } }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "prob" type: "Softmax" bottom: "conv" top: "prob" include { phase: TEST } }
'''
model = caffe_pb2.NetParameter()
text_format.Parse(TEXT, model)
weights = caffe_pb2.NetParameter()
weights.CopyFrom(model)
random = np.random.RandomState(0)
for layer in weights.layer:
    shapes = {'Convolution': [(3, 2, 3, 3)], 'BatchNorm': [(3,), (3,), (1,)], 'Scale': [(3,), (3,)]}.get(layer.type, [])
    layer.blobs.extend([caffe.io.array_to_blobproto(random.rand(*shape) + 0.5) for shape in shapes])
with open('net.caffemodel', 'wb') as f:
    f.write(weights.SerializeToString())

again = caffe_pb2.NetParameter()
again.ParseFromString(open('net.caffemodel', 'rb').read())
blobs = {layer.name: [caffe.io.blobproto_to_array(blob) for blob in layer.blobs] for layer in again.layer}
mean, var, factor = blobs['bn']
scale, bias = blobs['scale']
alpha = scale / np.sqrt(var / factor + 1e-5)
merged = caffe_pb2.NetParameter(name=model.name + '-merged')
for layer in again.layer:
    if layer.type in ('BatchNorm', 'Scale'):
        continue
    new = merged.layer.add()
    new.CopyFrom(layer)
    del new.blobs[:]
    if layer.name == 'conv':
        new.convolution_param.ClearField('bias_term')
        new.blobs.add().CopyFrom(caffe.io.array_to_blobproto(blobs['conv'][0] * alpha[:, None, None, None]))
        new.blobs.extend([caffe.io.array_to_blobproto(bias - alpha * mean / factor)])
    for index, name in enumerate(new.bottom):
        new.bottom[index] = name.replace('conv', 'merged')
    assert not new.HasField('loss_param') and new.IsInitialized()
print(merged.ByteSize(), [len(layer.blobs) for layer in merged.layer], [list(layer.bottom) for layer in merged.layer])
print(' '.join('%.5f' % value for value in merged.layer[1].blobs[1].data))
for layer in merged.layer:
    del layer.blobs[:]
print(text_format.MessageToString(merged))
print([field.name for field, _ in merged.layer[1].convolution_param.ListFields()])
mean_blob = caffe_pb2.BlobProto()
mean_blob.ParseFromString(caffe.io.array_to_blobproto(random.rand(1, 3, 2, 2)).SerializeToString())
print(caffe.io.blobproto_to_array(mean_blob)[0].mean(1).mean(1).shape, os.path.exists('net.caffemodel'), len(sys.argv))
datum = caffe.io.array_to_datum((random.rand(3, 2, 2) * 255).astype(np.uint8), 5)
back = caffe_pb2.Datum.FromString(datum.SerializeToString())
print(caffe.io.datum_to_array(back).sum(), back.label, back.channels, back.encoded)
state = caffe_pb2.NetState(phase=caffe_pb2.TEST, level=1, stage=['a', 'b'])
old = caffe_pb2.V1LayerParameter(type=caffe_pb2.V1LayerParameter.LayerType.Value('CONVOLUTION'), blobs_lr=[1, 2])
print(state, old, caffe_pb2.V1LayerParameter.LayerType.Name(old.type))
print(caffe_pb2._LAYERPARAMETER.fields_by_name['convolution_param'].number,
      caffe_pb2.DESCRIPTOR.message_types_by_name['PoolingParameter'].enum_types_by_name['PoolMethod'].values_by_name['AVE'].number)
