"""python quantize.py int8|uint8|q4 SOURCE TARGET: with the options of test/fixtures/golden/make.py."""

import sys

scheme, source, target = sys.argv[1:]
if scheme == "q4":
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(onnx.load(source), block_size=32, is_symmetric=True, accuracy_level=None)
    quantizer.process()
    onnx.save(quantizer.model.model, target)
else:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        target,
        weight_type=QuantType.QUInt8 if scheme == "uint8" else QuantType.QInt8,
        per_channel=False,
        reduce_range=False,
        extra_options={"EnableSubgraph": True},
    )
