import { reject } from '../compiler/graph/index.ts'
import { currentSizes } from './tracer.ts'

/**
 * What `dim()` gives for several sizes. The model is built once for each, so that inside `forward` it is a number: in calculations, in
 * shapes and wherever a function takes one.
 */
export class Dimension {
  readonly dim: string
  /** Ascending. */
  readonly sizes: readonly number[]
  /** The smallest that callers may pass. */
  readonly least: number
  constructor(name: string, sizes: readonly number[], least: number) {
    this.dim = name
    this.sizes = Object.freeze([...sizes])
    this.least = least
    Object.freeze(this)
  }
  /** The size that the model is being built for. */
  valueOf(): number {
    return (
      currentSizes()?.get(this.dim) ??
      reject(
        'outside-forward',
        `dim: '${this.dim}' has the sizes ${this.sizes.join(', ')}; it is one of them inside forward() of an entry whose inputs have the dimension`,
      )
    )
  }
  [Symbol.toPrimitive](hint: string): number | string {
    return hint === 'string' ? String(this.valueOf()) : this.valueOf()
  }
}

/** A dimension as the number that it is at the moment; anything else as it is. */
export const plainNumber = (value: unknown): unknown => (value instanceof Dimension ? value.valueOf() : value)
