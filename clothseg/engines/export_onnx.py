"""Exports one of our networks as an ONNX model, which others can run too."""

from typing import Any, Final

import numpy as np

from clothseg.engines.graph import Array, Convolution, Weights, build
from clothseg.network.checkpoint import to_strings

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"writing ONNX needs the package {missing.name}; pip install 'clothseg[onnxruntime]'"
    ) from None

_OPSET: Final = 18
# Read by ONNX Runtime since 1.14 (2023).
_IR_VERSION: Final = 8


def model_of(weights: Weights, size: tuple[int, int] | None = None) -> onnx.ModelProto:
    """The network in float32, from (B, h, w, 3) uint8 BGR to (B, K, h, w) uint8; h and w open without `size`."""
    h, w = size or ("h", "w")
    operators = _Onnx()
    build(operators, weights)
    classes = len(weights.metadata.classes)
    pictures = helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["B", h, w, 3])
    output = helper.make_tensor_value_info("probabilities", TensorProto.UINT8, ["B", classes, h, w])
    graph = helper.make_graph(operators.nodes, weights.metadata.architecture, [pictures], [output], operators.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    helper.set_model_props(model, to_strings(weights.metadata))
    onnx.checker.check_model(model)
    return model


class _Onnx:
    """The operators in ONNX; a value is the name of a tensor."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def enter(self, mean: Array, stem: int) -> str:
        x = self._node("Transpose", self._node("Cast", "pictures", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
        if stem > 1:
            # ONNX puts the colour last among the folded channels, pixel_unshuffle first.
            order = np.arange(3 * stem**2).reshape(-1, 3).T.ravel()
            folded = self._node("SpaceToDepth", x, blocksize=stem)
            x = self._node("Gather", folded, self._constant(order), axis=1)
        return self._node("Sub", x, self._constant(np.repeat(mean, stem**2).reshape(1, -1, 1, 1)))

    def convolve(self, x: str, layer: Convolution) -> str:
        sums = self._node(
            "Conv",
            x,
            self._constant(layer.weight),
            self._constant(layer.bias),
            pads=[layer.dilation * (layer.weight.shape[-1] // 2)] * 4,
            dilations=[layer.dilation] * 2,
            strides=[layer.stride] * 2,
            group=len(layer.weight) if layer.depthwise else 1,
        )
        if layer.activation == "relu6":
            return self._node("Clip", sums, self._constant(np.float32(0)), self._constant(np.float32(6)))
        return self._node("Relu", sums) if layer.activation == "relu" else sums

    def pool(self, x: str) -> str:
        return self._node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)

    def resize(self, x: str, like: str) -> str:
        size = self._node("Shape", like, start=2, end=4)
        return self._node("Resize", x, "", "", size, mode="linear", axes=[2, 3])

    def join(self, x: str, y: str) -> str:
        return self._node("Concat", x, y, axis=1)

    def add(self, x: str, y: str) -> str:
        return self._node("Add", x, y)

    def leave(self, logits: str, stem: int) -> str:
        if stem > 1:
            logits = self._node("DepthToSpace", logits, blocksize=stem, mode="CRD")
        scaled = self._node("Mul", self._node("Softmax", logits, axis=1), self._constant(np.float32(255)))
        rounded = self._node("Floor", self._node("Add", scaled, self._constant(np.float32(0.5))))
        self.nodes.append(helper.make_node("Cast", [rounded], ["probabilities"], to=TensorProto.UINT8))
        return "probabilities"

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, value: Any) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name
