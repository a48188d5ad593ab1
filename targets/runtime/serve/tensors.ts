import type { TensorSignature } from '../manifest.ts'
import { arrayOf, checkNames, copyInput, elementCount, outputArray, type TensorArray, type TensorValue } from '../tensor.ts'

/** An array of its own for each tensor. */
export const arraysFor = (tensors: readonly TensorSignature[]): readonly TensorArray[] =>
  tensors.map(({ dtype, shape }) => new (arrayOf(dtype))(elementCount(shape)))

/** Arrays for the inputs of requests, used again by later ones. */
export interface InputPool {
  /** Copies of what a caller gives, of its inputs that are not `fixed`. Errors are those of `run`. */
  take(given: any): readonly TensorArray[]
  give(arrays: readonly TensorArray[]): void
}

/** `fixed` inputs are not the caller's to give, and are left as they are. At most `most` arrays of an input wait for later requests. */
export function createInputPool(
  tensors: readonly TensorSignature[],
  fixed: readonly (TensorArray | undefined)[],
  most: number,
): InputPool {
  const spare: (readonly TensorArray[])[] = []
  const open = tensors.filter((_, i) => !fixed[i])
  return {
    take(given) {
      checkNames(given, open, 'input')
      const arrays = spare.pop() ?? tensors.map((tensor, i) => fixed[i] ?? arraysFor([tensor])[0]!)
      try {
        for (let i = 0; i < tensors.length; i++) if (!fixed[i]) copyInput(tensors[i]!, given?.[tensors[i]!.name], arrays[i]!)
      } catch (error) {
        spare.push(arrays)
        throw error
      }
      return arrays
    },
    give(arrays) {
      if (spare.length < most) spare.push(arrays)
    },
  }
}

export type Results = Record<string, TensorValue>

/** The caller's arrays for outputs; undefined where an output gets a new one. */
export function targetsIn(into: any, tensors: readonly TensorSignature[]): readonly (TensorArray | undefined)[] | undefined {
  if (!into) return undefined
  checkNames(into, tensors, 'output')
  return tensors.map((tensor) => into[tensor.name] && outputArray(tensor, into[tensor.name]))
}

/** Copies outputs to where the caller gets them. */
export function copyOutputs(
  tensors: readonly TensorSignature[],
  targets: readonly (TensorArray | undefined)[] | undefined,
  from: readonly TensorArray[],
): Results {
  const results: Results = {}
  for (let i = 0; i < tensors.length; i++) {
    const tensor = tensors[i]!
    const source = from[i]!
    const target = targets?.[i]
    // Looked at again: the caller may have given the array's memory away while the run went on.
    const data = target ? outputArray(tensor, target) : new (arrayOf(tensor.dtype))(source.length)
    data.set(source as never)
    results[tensor.name] = { data, shape: tensor.shape }
  }
  return results
}
