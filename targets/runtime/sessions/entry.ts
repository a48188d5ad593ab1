import type { TensorInfo } from '../plan.ts'
import { arrayOf, checkNames, copyInput, outputArray, type TensorArray, type TensorValue } from '../tensor.ts'

// What a run of a session copies in and out. Arrays of the right type are copied without allocating anything: `copyInput` and
// `outputArray` take any other value, and word what is wrong with it.

const isSame = (a: readonly number[] | undefined, b: readonly number[]): boolean => {
  if (!a) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** The array that a value is, or holds, if it is one just like `view`. */
function arrayIn(value: any, shape: readonly number[], view: TensorArray): TensorArray | undefined {
  const data = value?.data ?? value
  if (data?.constructor !== view.constructor || data.length !== view.length) return undefined
  return data === value || isSame(value.shape, shape) ? data : undefined
}

/** Copies inputs to where the code reads them. */
export function writeInputs(given: any, tensors: readonly TensorInfo[], views: readonly TensorArray[]): void {
  let count = 0
  for (const _ in given) count++
  if (count !== tensors.length) checkNames(given, tensors, 'input')
  for (let i = 0; i < tensors.length; i++) {
    const tensor = tensors[i]!
    const value = given?.[tensor.name]
    const array = arrayIn(value, tensor.shape, views[i]!)
    if (array) views[i]!.set(array as never)
    else {
      checkNames(given, tensors, 'input')
      copyInput(tensor, value, views[i])
    }
  }
}

export type Targets = (TensorArray | undefined)[]

/** The caller's arrays for outputs, into a list that is used again. `views` are where the code writes them. */
export function readTargets(into: any, tensors: readonly TensorInfo[], targets: Targets): Targets {
  if (into !== undefined) checkNamesOf(into, tensors)
  for (let i = 0; i < tensors.length; i++) {
    const tensor = tensors[i]!
    const value = into?.[tensor.name]
    const data = value?.data ?? value
    const array = arrayOf(tensor.dtype)
    const isSuch = data?.constructor === array && data.length * array.BYTES_PER_ELEMENT === tensor.bytes
    targets[i] = value && (isSuch && (data === value || isSame(value.shape, tensor.shape)) ? data : outputArray(tensor, value))
  }
  return targets
}

function checkNamesOf(into: any, tensors: readonly TensorInfo[]): void {
  for (const name in into) {
    let at = 0
    // An iterator is an object, until the engine has optimised it away.
    while (at < tensors.length && tensors[at]!.name !== name) at++
    if (at === tensors.length) checkNames(into, tensors, 'output')
  }
}

export type Results = Record<string, TensorValue>

/** Copies outputs to `targets`, or to new arrays. Returns `last` where that holds just these arrays. */
export function copyResults(
  tensors: readonly TensorInfo[],
  targets: Targets,
  views: readonly TensorArray[],
  last?: Results,
): Results {
  let results = last
  for (let i = 0; i < tensors.length; i++) {
    const { name } = tensors[i]!
    const target = targets[i]
    // The caller may have given the array's memory away while the run went on: then it has no length.
    if (target && target.length === views[i]!.length) target.set(views[i] as never)
    if (!target || results?.[name]?.data !== target || target.length !== views[i]!.length) results = undefined
  }
  if (results) return results
  const made: Results = {}
  for (let i = 0; i < tensors.length; i++) {
    const tensor = tensors[i]!
    const data = targets[i] ? outputArray(tensor, targets[i]) : new (arrayOf(tensor.dtype))(views[i]!.length)
    if (!targets[i]) data.set(views[i] as never)
    made[tensor.name] = { data, shape: tensor.shape }
  }
  return made
}
