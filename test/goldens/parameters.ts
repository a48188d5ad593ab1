import { constant, type Tensor } from 'glowplug'

/** Parameters of a layer, different for each seed: −1 … 1 in steps of 1/50. */
export function parameter(shape: number[], seed = 0): Tensor<'f32'> {
  const length = shape.reduce((product, extent) => product * extent, 1)
  return constant(
    'f32',
    shape,
    Array.from({ length }, (_, i) => ((i * 37 + seed * 11) % 101) / 50 - 1),
  )
}

/** Parameters above zero. */
export function positive(shape: number[], seed = 0): Tensor<'f32'> {
  const length = shape.reduce((product, extent) => product * extent, 1)
  return constant(
    'f32',
    shape,
    Array.from({ length }, (_, i) => ((i * 37 + seed * 11) % 101) / 50 + 0.5),
  )
}
