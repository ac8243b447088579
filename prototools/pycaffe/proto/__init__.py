"""The place of `caffe_pb2`, as in pycaffe."""

from prototools.pycaffe.proto import caffe_pb2

__all__ = ["caffe_pb2"]
