"""Makes tests/data/dequantised.gguf: blocks of every quantised type that is read, beside the numbers that gguf-py makes of them.

    python3 -m pip install gguf==0.19.0
    python3 crates/policy/tests/make_gguf.py

For each type the file holds a tensor `<type>` of three rows of 256 numbers, and `<type>.f32` with the numbers of
`gguf.quants.dequantize`. The bytes of the blocks are random, but their half-precision scales are finite.
"""

import pathlib
from importlib.metadata import version

import gguf
import numpy as np

HERE = pathlib.Path(__file__).parent / "data" / "dequantised.gguf"
ROWS = 3
# Where the half-precision numbers of a block lie.
SCALES = dict(F16=(0,), Q4_0=(0,), Q4_1=(0, 2), Q5_0=(0,), Q5_1=(0, 2), Q8_0=(0,), Q4_K=(0, 2), Q5_K=(0, 2), Q6_K=(208,))


def blocks(random, name):
    """A row of 256 numbers, as bytes."""
    kind = gguf.GGMLQuantizationType[name]
    numbers, size = gguf.GGML_QUANT_SIZES[kind]
    data = random.integers(0, 256, (ROWS, 256 // numbers, size), dtype=np.uint8)
    for at in SCALES.get(name, ()):
        scales = random.normal(size=data.shape[:2]).astype(np.float16)
        data[:, :, at : at + 2] = scales[..., None].view(np.uint8)
    if name == "BF16":
        # No exponent of all ones: neither infinite nor NaN.
        data[:, :, 1] &= 0xBF
    return kind, data.reshape(ROWS, -1)


def main():
    random = np.random.default_rng(6)
    writer = gguf.GGUFWriter(HERE, "none")
    writer.add_string("versions.gguf", version("gguf"))
    writer.add_string("versions.numpy", version("numpy"))
    for name in ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]:
        kind, data = blocks(random, name)
        numbers = gguf.quants.dequantize(data, kind).astype(np.float32)
        assert numbers.shape == (ROWS, 256) and np.isfinite(numbers).all(), name
        writer.add_tensor(name, data, raw_dtype=kind)
        writer.add_tensor(name + ".f32", numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
