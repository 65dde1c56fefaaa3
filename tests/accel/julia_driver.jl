# Calls one kernel: julia julia_driver.jl <kernels.jl> <folder> <function>. The folder holds the
# arguments as 1.bin, 2.bin, ... and gets the result as out.bin. A file is: kind (0 float64, 1 int64),
# number of axes, lengths, values in row order; all of 8 bytes.
include(ARGS[1])

function take(path)
    open(path) do stream
        kind, axes = read(stream, Int64), read(stream, Int64)
        lengths = [read(stream, Int64) for _ in 1:axes]
        values = Vector{kind == 0 ? Float64 : Int64}(undef, prod(lengths))
        read!(stream, values)
        axes == 0 && return values[1]
        return permutedims(reshape(values, reverse(lengths)...), axes:-1:1)
    end
end

function give(path, found)
    rows = permutedims(found, ndims(found):-1:1)
    open(path, "w") do stream
        write(stream, Int64(0), Int64(ndims(found)), collect(Int64, size(found))...)
        write(stream, Array{Float64}(rows))
    end
end

arguments = []
while isfile(joinpath(ARGS[2], "$(length(arguments) + 1).bin"))
    push!(arguments, take(joinpath(ARGS[2], "$(length(arguments) + 1).bin")))
end
kernel = getfield(MarsKernels, Symbol(ARGS[3]))
vectors = [a isa AbstractArray && ndims(a) == 1 ? vec(a) : a for a in arguments]
give(joinpath(ARGS[2], "out.bin"), kernel(vectors...))
