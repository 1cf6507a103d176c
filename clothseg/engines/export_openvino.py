"""Exports one of our networks as an OpenVINO model, without torch: what a stream on a CPU runs."""

from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

from clothseg.engines.graph import Array, Convolution, Weights, build
from clothseg.network.checkpoint import Metadata, to_strings

RT_INFO = "clothseg"
"""Key of the metadata in a model file."""


def describe(model: ov.Model, metadata: Metadata) -> None:
    """Put into a model what `clothseg.model_file` reads."""
    for key, text in to_strings(metadata).items():
        model.set_rt_info(text, [RT_INFO, key])


def model_of(weights: Weights) -> ov.Model:
    """The network in float32, from (B, h, w, 3) uint8 BGR to (B, K, h, w) uint8, B, h and w open."""
    operators = _Openvino()
    output = build(operators, weights)
    output.node.set_friendly_name("probabilities")
    model = ov.Model([output], [operators.pictures], weights.metadata.architecture)
    describe(model, weights.metadata)
    return model


class _Openvino:
    """The operators in OpenVINO's opset."""

    def __init__(self) -> None:
        self.pictures = op.parameter([-1, -1, -1, 3], np.uint8, "pictures")

    def enter(self, mean: Array, stem: int) -> Any:
        planes = op.transpose(self.pictures, np.array([0, 3, 1, 2]))
        if stem > 1:
            planes = op.space_to_depth(planes, "depth_first", stem)
        means = np.repeat(mean, stem**2).reshape(1, -1, 1, 1)
        return op.subtract(op.convert(planes, "f32"), means).output(0)

    def convolve(self, x: Any, layer: Convolution) -> Any:
        pad = [layer.dilation * (layer.weight.shape[-1] // 2)] * 2
        strides, dilations = [layer.stride] * 2, [layer.dilation] * 2
        # As constants: the operators would take an array apart into Python numbers.
        if layer.depthwise:
            sums = op.group_convolution(x, ov.op.Constant(layer.weight[:, None]), strides, pad, pad, dilations)
        else:
            sums = op.convolution(x, ov.op.Constant(layer.weight), strides, pad, pad, dilations)
        sums.set_friendly_name(layer.name)
        if layer.bias.any():
            sums = op.add(sums, layer.bias.reshape(1, -1, 1, 1))
        if layer.activation == "relu6":
            return op.clamp(sums, 0.0, 6.0).output(0)
        return (op.relu(sums) if layer.activation == "relu" else sums).output(0)

    def pool(self, x: Any) -> Any:
        # One row and column of padding, rounded down, is "ceil" that also takes a side of one pixel.
        return op.max_pool(x, [2, 2], [1, 1], [0, 0], [1, 1], [2, 2], "floor").output(0)

    def resize(self, x: Any, like: Any) -> Any:
        size = op.gather(op.shape_of(like), np.array([2, 3]), np.array(0))
        return op.interpolate(x, size, "linear_onnx", "sizes", axes=np.array([2, 3])).output(0)

    def join(self, x: Any, y: Any) -> Any:
        return op.concat([x, y], 1).output(0)

    def add(self, x: Any, y: Any) -> Any:
        return op.add(x, y).output(0)

    def leave(self, logits: Any, stem: int) -> Any:
        if stem > 1:
            logits = op.depth_to_space(logits, "depth_first", stem)
        scaled = op.multiply(op.softmax(logits, 1), np.float32(255))
        return op.convert(op.floor(op.add(scaled, np.float32(0.5))), "u8").output(0)
