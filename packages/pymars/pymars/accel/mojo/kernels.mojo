"""The Mojo tier: C functions over the caller's arrays; every table is in row order.

Built by `pymars.accel.mojo.build`. The caller brings the memory to work in, checked and of the right
size, so nothing is allocated here. What each function means is said by `pymars/accel/floor.py`.
"""

from std.math import isnan, sqrt

comptime Doubles = Pointer[Float64, MutAnyOrigin]
comptime Wholes = Pointer[Int64, MutAnyOrigin]

# Rows that are worked on together, so that their values stay in the cache.
comptime BLOCK = 128
# A column with no more than this share of its squared norm outside the frame adds nothing.
comptime SPAN = 1e-6

comptime LINEAR = 1
comptime HINGE_RIGHT = 2
comptime HINGE_LEFT = 3
comptime CATEGORICAL = 4
comptime MISSING = 5
comptime PRESENT = 6


@export("mars_mojo_replay")
def replay(
    x: Doubles,
    n: Int,
    features: Int,
    terms: Int,
    kind: Wholes,
    feature: Wholes,
    column: Wholes,
    knot: Doubles,
    impute: Doubles,
    parents_start: Wholes,
    parents: Wholes,
    levels_start: Wholes,
    levels: Doubles,
    coefficients: Doubles,
    columns: Int,
    responses: Int,
    work: Doubles,
    result: Doubles,
) abi("C"):
    """Fill rows x columns, or with responses rows x responses; `work` holds terms x BLOCK."""
    for start in range(0, n, BLOCK):
        var rows = min(BLOCK, n - start)
        for t in range(terms):
            var own = t * BLOCK
            for i in range(rows):
                work[unsafe_offset=own + i] = 1.0
            for e in range(Int(parents_start[unsafe_offset=t]), Int(parents_start[unsafe_offset=t + 1])):
                var parent = Int(parents[unsafe_offset=e]) * BLOCK
                for i in range(rows):
                    work[unsafe_offset=own + i] *= work[unsafe_offset=parent + i]
            var first = Int(levels_start[unsafe_offset=t])
            var last = Int(levels_start[unsafe_offset=t + 1])
            var which = Int(kind[unsafe_offset=t])
            if which != 0:
                for i in range(rows):
                    var value = x[unsafe_offset=(start + i) * features + Int(feature[unsafe_offset=t])]
                    work[unsafe_offset=own + i] *= factor(
                        which, value, knot[unsafe_offset=t], impute[unsafe_offset=t], levels, first, last
                    )
            var c = Int(column[unsafe_offset=t])
            if c < 0:
                continue
            if responses == 0:
                for i in range(rows):
                    result[unsafe_offset=(start + i) * columns + c] = work[unsafe_offset=own + i]
            for k in range(responses):
                var weight = coefficients[unsafe_offset=c * responses + k]
                for i in range(rows):
                    result[unsafe_offset=(start + i) * responses + k] += weight * work[unsafe_offset=own + i]


@always_inline
def factor(
    kind: Int, given: Float64, knot: Float64, impute: Float64, levels: Doubles, first: Int, last: Int
) -> Float64:
    """Return the value of a term's own factor."""
    var missing = isnan(given)
    if kind == MISSING:
        return 1.0 if missing else 0.0
    if kind == PRESENT:
        return 0.0 if missing else 1.0
    var value = impute if missing else given
    if kind == LINEAR:
        return value
    if kind == CATEGORICAL:
        var found = value if isnan(value) else 0.0
        for e in range(first, last):
            if levels[unsafe_offset=e] == value:
                found = 1.0
        return found
    var d = value - knot if kind == HINGE_RIGHT else knot - value
    # Where d is NaN the comparison is false and NaN passes through.
    return 0.0 if d <= 0.0 else d


@export("mars_mojo_gcv_path")
def gcv_path(
    r: Doubles,
    z: Doubles,
    order: Wholes,
    terms: Int,
    responses: Int,
    first_rss: Float64,
    n: Float64,
    penalty: Float64,
    inverse: Doubles,
    result: Doubles,
) abi("C"):
    """Fill terms x 3 with RSS, GCV and the next term to go; `r`, `z` and `order` are used up."""
    var rss = first_rss
    for size in range(terms, 0, -1):
        var cheapest = 0
        var least: Float64 = 0.0
        invert(r, inverse, size, terms)
        for i in range(1, size):
            var norm: Float64 = 0.0
            for j in range(i, size):
                norm += inverse[unsafe_offset=i * terms + j] * inverse[unsafe_offset=i * terms + j]
            var cost: Float64 = 0.0
            for k in range(responses):
                var b: Float64 = 0.0
                for j in range(i, size):
                    b += inverse[unsafe_offset=i * terms + j] * z[unsafe_offset=j * responses + k]
                cost += b * b
            cost /= norm
            if cheapest == 0 or cost < least:
                cheapest = i
                least = cost
        var effective = 0.0 if penalty == -1.0 else Float64(size) + penalty * Float64(size - 1) / 2.0
        var left = 1.0 - effective / n
        result[unsafe_offset=(size - 1) * 3] = rss
        result[unsafe_offset=(size - 1) * 3 + 1] = (
            Float64.MAX * 2.0 if effective >= n else rss / n / (left * left)
        )
        result[unsafe_offset=(size - 1) * 3 + 2] = (
            Float64(order[unsafe_offset=cheapest]) if cheapest > 0 else -1.0
        )
        if cheapest > 0:
            drop(r, z, order, cheapest, size, terms, responses)
            for k in range(responses):
                var last = z[unsafe_offset=(size - 1) * responses + k]
                rss += last * last


def invert(r: Doubles, inverse: Doubles, size: Int, stride: Int):
    """Fill the upper triangle of R^-1."""
    for j in range(size):
        for i in range(j, -1, -1):
            var sum: Float64 = 1.0 if i == j else 0.0
            for k in range(i + 1, j + 1):
                sum -= r[unsafe_offset=i * stride + k] * inverse[unsafe_offset=k * stride + j]
            inverse[unsafe_offset=i * stride + j] = sum / r[unsafe_offset=i * stride + i]


def drop(r: Doubles, z: Doubles, order: Wholes, gone: Int, size: Int, stride: Int, responses: Int):
    """Take a column out, and rotate rows so that the rest is a triangle again."""
    for j in range(gone, size - 1):
        order[unsafe_offset=j] = order[unsafe_offset=j + 1]
        for i in range(j + 2):
            r[unsafe_offset=i * stride + j] = r[unsafe_offset=i * stride + j + 1]
    for i in range(gone, size - 1):
        var a = r[unsafe_offset=i * stride + i]
        var b = r[unsafe_offset=(i + 1) * stride + i]
        var length = sqrt(a * a + b * b)
        var cosine = a / length if length > 0.0 else 1.0
        var sine = b / length if length > 0.0 else 0.0
        for j in range(i, size - 1):
            rotate(r, i * stride + j, (i + 1) * stride + j, cosine, sine)
        for k in range(responses):
            rotate(z, i * responses + k, (i + 1) * responses + k, cosine, sine)


@always_inline
def rotate(values: Doubles, upper: Int, lower: Int, cosine: Float64, sine: Float64):
    var a = values[unsafe_offset=upper]
    var b = values[unsafe_offset=lower]
    values[unsafe_offset=upper] = cosine * a + sine * b
    values[unsafe_offset=lower] = cosine * b - sine * a


@export("mars_mojo_knot_scan")
def knot_scan(
    x: Doubles,
    parent: Doubles,
    frame: Doubles,
    residual: Doubles,
    knots: Doubles,
    n: Int,
    terms: Int,
    responses: Int,
    n_knots: Int,
    work: Doubles,
    gains: Doubles,
) abi("C"):
    """Fill the gain of each knot; `work` holds zeros: n_knots x (2 width + 3), then 3 width."""
    var width = terms + responses
    var squares = n_knots * 2 * width
    var linear = squares + n_knots * 3
    var level = linear + width
    var hinge = level + width
    var centre: Float64 = 0.0
    for i in range(n):
        centre += x[unsafe_offset=i]
    centre /= Float64(max(n, 1))
    var norm: Float64 = 0.0
    for i in range(n):
        var p = parent[unsafe_offset=i]
        var l = p * (x[unsafe_offset=i] - centre)
        norm += l * l
        add(frame, i * terms, terms, l, work, linear)
        add(residual, i * responses, responses, l, work, linear + terms)
        var s = segment(knots, n_knots, x[unsafe_offset=i])
        if s < 0:
            continue
        var d = x[unsafe_offset=i] - knots[unsafe_offset=s]
        work[unsafe_offset=squares + 3 * s] += p * p
        work[unsafe_offset=squares + 3 * s + 1] += p * p * d
        work[unsafe_offset=squares + 3 * s + 2] += p * p * d * d
        var own = s * 2 * width
        add(frame, i * terms, terms, p, work, own)
        add(residual, i * responses, responses, p, work, own + terms)
        add(frame, i * terms, terms, p * d, work, own + width)
        add(residual, i * responses, responses, p * d, work, own + width + terms)
    var outside = norm - dot(work, linear, linear, terms)
    var per_norm = 1.0 / outside if outside > SPAN * norm else 0.0
    var linear_gain = dot(work, linear + terms, linear + terms, responses) * per_norm
    var p0: Float64 = 0.0
    var h1: Float64 = 0.0
    var h2: Float64 = 0.0
    for s in range(n_knots - 1, -1, -1):
        var fall = 0.0 if s == n_knots - 1 else knots[unsafe_offset=s + 1] - knots[unsafe_offset=s]
        h2 += 2.0 * fall * h1 + fall * fall * p0 + work[unsafe_offset=squares + 3 * s + 2]
        h1 += fall * p0 + work[unsafe_offset=squares + 3 * s + 1]
        p0 += work[unsafe_offset=squares + 3 * s]
        var own = s * 2 * width
        for c in range(width):
            work[unsafe_offset=hinge + c] += fall * work[unsafe_offset=level + c] + work[
                unsafe_offset=own + width + c
            ]
            work[unsafe_offset=level + c] += work[unsafe_offset=own + c]
        var free = h2 - dot(work, hinge, hinge, terms)
        var cross = h2 + (knots[unsafe_offset=s] - centre) * h1 - dot(work, linear, hinge, terms)
        var left = free - cross * cross * per_norm
        gains[unsafe_offset=s] = linear_gain
        if left > SPAN * h2:
            for k in range(terms, width):
                var beyond = (
                    work[unsafe_offset=hinge + k] - cross * per_norm * work[unsafe_offset=linear + k]
                )
                gains[unsafe_offset=s] += beyond * beyond / left


def segment(knots: Doubles, n_knots: Int, x: Float64) -> Int:
    """Return the last knot below a value, -1 where none is."""
    var low = 0
    var high = n_knots
    while low < high:
        var middle = (low + high) // 2
        if knots[unsafe_offset=middle] < x:
            low = middle + 1
        else:
            high = middle
    return low - 1


@always_inline
def add(values: Doubles, start: Int, length: Int, weight: Float64, sums: Doubles, place: Int):
    for c in range(length):
        sums[unsafe_offset=place + c] += weight * values[unsafe_offset=start + c]


@always_inline
def dot(values: Doubles, a: Int, b: Int, length: Int) -> Float64:
    var sum: Float64 = 0.0
    for c in range(length):
        sum += values[unsafe_offset=a + c] * values[unsafe_offset=b + c]
    return sum
