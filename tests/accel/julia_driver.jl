# Calls kernels: julia julia_driver.jl <kernels.jl> <folder>. Each folder in it holds the arguments of
# one call as 1.bin, 2.bin, ..., the name of the kernel in `name`, and gets the result as out.bin. A
# file is: kind (0 float64, 1 int64), number of axes, lengths, values in row order; all of 8 bytes.
const KERNELS = include(ARGS[1])

function take(path)
    open(path) do stream
        kind, axes = read(stream, Int64), read(stream, Int64)
        lengths = [read(stream, Int64) for _ in 1:axes]
        values = Vector{kind == 0 ? Float64 : Int64}(undef, prod(lengths))
        read!(stream, values)
        axes == 0 && return values[1]
        axes == 1 && return values
        return permutedims(reshape(values, reverse(lengths)...), axes:-1:1)
    end
end

function give(path, found)
    rows = found isa Number ? fill(found) : permutedims(found, ndims(found):-1:1)
    open(path, "w") do stream
        write(stream, Int64(0), Int64(ndims(found)), collect(Int64, size(found))...)
        write(stream, Array{Float64}(rows))
    end
end

for folder in readdir(ARGS[2]; join=true)
    kernel = getfield(KERNELS, Symbol(read(joinpath(folder, "name"), String)))
    arguments = []
    while isfile(joinpath(folder, "$(length(arguments) + 1).bin"))
        push!(arguments, take(joinpath(folder, "$(length(arguments) + 1).bin")))
    end
    give(joinpath(folder, "out.bin"), kernel(arguments...))
end
