# The Julia tier of the tutorial. Plain Julia from 1.5 on, without packages.
module Kuramoto

"""
    order_parameter(theta)

Return how far oscillators agree, from 0 to 1.
"""
order_parameter(theta) = abs(sum(cis, theta)) / length(theta)

"""
    kuramoto_euler(theta, omega, coupling, dt, steps)

Move oscillators by Euler steps; `sin(a - b) = sin a cos b - cos a sin b` spares a sine per pair.
"""
function kuramoto_euler(theta, omega, coupling, dt, steps)
    moved = collect(theta)
    for _ in 1:steps
        s, c = sin.(moved), cos.(moved)
        moved .+= dt .* (omega .+ (coupling * s) .* c .- (coupling * c) .* s)
    end
    return moved
end

end
