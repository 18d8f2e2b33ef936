"""Writing ONNX: traced, folded, halved, quantised, and what TensorRT builds."""
