"""python simplify.py SOURCE TARGET: what onnxsim makes of a model, as it is called without options."""

import sys

import onnx
import onnxsim

model, checked = onnxsim.simplify(sys.argv[1])
assert checked, "onnxsim finds that its result computes something else"
onnx.save(model, sys.argv[2])
