# The Julia tier. What each function means is said by pymars/accel/floor.py. Plain Julia from 1.5 on,
# without packages; tables are matrices with one row per row.
module MarsKernels

using LinearAlgebra: UpperTriangular, dot

const LINEAR, HINGE_RIGHT, HINGE_LEFT, CATEGORICAL, MISSING, PRESENT = 1, 2, 3, 4, 5, 6
# A column with no more than this share of its squared norm outside the frame adds nothing.
const SPAN = 1e-6

"""
    design_matrix(x, kind, feature, column, knot, impute, parents_start, parents, levels_start, levels)

Evaluate the terms of a flat model; indices count from 0, as Python hands them over.
"""
function design_matrix(
    x, kind, feature, column, knot, impute, parents_start, parents, levels_start, levels
)
    n = size(x, 1)
    values = ones(n, length(kind))
    found = Matrix{Float64}(undef, n, count(>=(0), column))
    for t in eachindex(kind)
        for e in (parents_start[t] + 1):parents_start[t + 1], i in 1:n
            values[i, t] *= values[i, parents[e] + 1]
        end
        if kind[t] != 0
            those = view(levels, (levels_start[t] + 1):levels_start[t + 1])
            for i in 1:n
                values[i, t] *= factor(kind[t], x[i, feature[t] + 1], knot[t], impute[t], those)
            end
        end
        if column[t] >= 0
            for i in 1:n
                found[i, column[t] + 1] = values[i, t]
            end
        end
    end
    return found
end

"""Sum the terms with their coefficients, one column per response."""
function predict(x, flat...)
    columns = design_matrix(x, flat[1:(end - 1)]...)
    return columns * flat[end]
end

function factor(kind, given, knot, impute, levels)
    kind == MISSING && return isnan(given) ? 1.0 : 0.0
    kind == PRESENT && return isnan(given) ? 0.0 : 1.0
    value = isnan(given) ? impute : given
    kind == LINEAR && return value
    kind == CATEGORICAL && return isnan(value) ? value : (value in levels ? 1.0 : 0.0)
    d = kind == HINGE_RIGHT ? value - knot : knot - value
    # Where d is NaN the comparison is false and NaN passes through.
    return d <= 0.0 ? 0.0 : d
end

"""Drop the term that costs least, again and again; rows are RSS, GCV and the next term to go."""
function gcv_path(r, z, rss, n, penalty)
    r, z = Matrix{Float64}(r), Matrix{Float64}(z)
    order = collect(0:(size(r, 1) - 1))
    found = Matrix{Float64}(undef, length(order), 3)
    while true
        terms = length(order)
        effective = penalty == -1.0 ? 0.0 : terms + penalty * (terms - 1) / 2
        score = effective >= n ? Inf : rss / n / (1.0 - effective / n)^2
        if terms == 1
            found[1, :] = [rss, score, -1.0]
            return found
        end
        inverse = Matrix(inv(UpperTriangular(r)))
        costs = vec(sum(abs2, inverse * z; dims=2)) ./ vec(sum(abs2, inverse; dims=2))
        gone = argmin(costs[2:end]) + 1
        found[terms, :] = [rss, score, order[gone]]
        deleteat!(order, gone)
        r = r[:, [k for k in 1:terms if k != gone]]
        for i in gone:(terms - 1)
            a, b = r[i, i], r[i + 1, i]
            long = hypot(a, b)
            cosine, sine = long > 0.0 ? (a / long, b / long) : (1.0, 0.0)
            rotate!(r, i, i:(terms - 1), cosine, sine)
            rotate!(z, i, 1:size(z, 2), cosine, sine)
        end
        rss += sum(abs2, z[terms, :])
        r, z = r[1:(terms - 1), :], z[1:(terms - 1), :]
    end
end

function rotate!(values, i, columns, cosine, sine)
    for j in columns
        a, b = values[i, j], values[i + 1, j]
        values[i, j] = cosine * a + sine * b
        values[i + 1, j] = cosine * b - sine * a
    end
end

"""Score every candidate knot of one variable under one parent, from sums between the knots."""
function knot_scan(x, parent, frame, residual, knots)
    n, terms, responses = length(x), size(frame, 2), size(residual, 2)
    width = terms + responses
    level, slope = zeros(width, length(knots)), zeros(width, length(knots))
    squares, linear = zeros(3, length(knots)), zeros(width)
    vectors = permutedims(hcat(Matrix{Float64}(frame), Matrix{Float64}(residual)))
    centre = n > 0 ? sum(x) / n : 0.0
    norm = 0.0
    for i in 1:n
        p, l = parent[i], parent[i] * (x[i] - centre)
        norm += l * l
        s = searchsortedfirst(knots, x[i]) - 1
        @inbounds for c in 1:width
            linear[c] += l * vectors[c, i]
        end
        s == 0 && continue
        d = x[i] - knots[s]
        squares[1, s] += p * p
        squares[2, s] += p * p * d
        squares[3, s] += p * p * d * d
        @inbounds for c in 1:width
            level[c, s] += p * vectors[c, i]
            slope[c, s] += p * d * vectors[c, i]
        end
    end
    inside, rest = 1:terms, (terms + 1):width
    outside = norm - dot(linear[inside], linear[inside])
    per_norm = outside > SPAN * norm ? 1.0 / outside : 0.0
    along = linear[rest]
    gains = fill(dot(along, along) * per_norm, length(knots))
    above, hinge = zeros(width), zeros(width)
    p0, h1, h2 = 0.0, 0.0, 0.0
    for s in length(knots):-1:1
        fall = s == length(knots) ? 0.0 : knots[s + 1] - knots[s]
        h2 += 2fall * h1 + fall^2 * p0 + squares[3, s]
        h1 += fall * p0 + squares[2, s]
        p0 += squares[1, s]
        for c in 1:width
            hinge[c] += fall * above[c] + slope[c, s]
            above[c] += level[c, s]
        end
        of_frame = hinge[inside]
        cross = h2 + (knots[s] - centre) * h1 - dot(linear[inside], of_frame)
        left = h2 - dot(of_frame, of_frame) - cross^2 * per_norm
        if left > SPAN * h2
            gains[s] += sum(abs2, hinge[rest] .- cross * per_norm .* along) / left
        end
    end
    return gains
end

end
