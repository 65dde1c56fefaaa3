"""The Mojo tier of the tutorial: C functions over the caller's arrays."""

from std.math import cos, sin, sqrt

comptime Doubles = Pointer[Float64, MutAnyOrigin]


@export("order_parameter")
def order_parameter(theta: Doubles, n: Int) abi("C") -> Float64:
    var sines: Float64 = 0.0
    var cosines: Float64 = 0.0
    for i in range(n):
        sines += sin(theta[unsafe_offset=i])
        cosines += cos(theta[unsafe_offset=i])
    return sqrt(sines * sines + cosines * cosines) / Float64(n)


@export("kuramoto_euler")
def kuramoto_euler(
    theta: Doubles, omega: Doubles, coupling: Doubles, n: Int, dt: Float64, steps: Int, work: Doubles
) abi("C"):
    for _ in range(steps):
        for i in range(n):
            work[unsafe_offset=i] = sin(theta[unsafe_offset=i])
            work[unsafe_offset=n + i] = cos(theta[unsafe_offset=i])
        for i in range(n):
            var s: Float64 = 0.0
            var c: Float64 = 0.0
            for j in range(n):
                s += coupling[unsafe_offset=i * n + j] * work[unsafe_offset=j]
                c += coupling[unsafe_offset=i * n + j] * work[unsafe_offset=n + j]
            theta[unsafe_offset=i] += dt * (
                omega[unsafe_offset=i] + s * work[unsafe_offset=n + i] - c * work[unsafe_offset=i]
            )
