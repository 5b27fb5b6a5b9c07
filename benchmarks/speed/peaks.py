"""Large operations, whose rate stands for what a processor can do."""

# Shapes of what they take, and how many floating-point operations they are.
PEAKS: dict[str, tuple[tuple[tuple[int, ...], ...], float]] = {
    "matmul": (((4096, 2048), (2048, 2048)), 2.0 * 4096 * 2048 * 2048),
    "convolution": (((64, 16, 16, 256), (4, 4, 256, 256)), 2.0 * 64 * 16 * 16 * 4 * 4 * 256 * 256),
}
