import type { Step } from '../../compiler/fuse/kernel.ts'
import { type DType, dtypeFacts } from '../../compiler/graph/dtype.ts'
import { scalarBytes } from '../../compiler/graph/scalar.ts'
import { elementCount, type Shape } from '../../compiler/graph/type.ts'
import type { ScalarFunction, Signature } from './row.ts'
import { type ExactElements, exactElements, isWide, rounding, type Scalar } from './values.ts'

/** What an elementwise program works on. */
export interface StepMemory {
  readonly inputs: readonly ExactElements[]
  /** What the anchor computed, over the domain. */
  readonly anchor?: ExactElements
  /** Which steps are stored, and where. */
  readonly outputs: readonly {
    readonly step: number
    readonly elements: ExactElements
    readonly rows?: { readonly length: number; readonly stride: number }
  }[]
  readonly scalarFunction: (op: string, signature: Signature<any>) => ScalarFunction
}

/**
 * Runs an elementwise program over a domain, position by position in row-major order: all loads of a position happen before its stores,
 * and before the loads of the next. A result that shares storage with an input is therefore right exactly when sharing is allowed.
 */
export function runSteps(steps: readonly Step[], domain: Shape, memory: StepMemory): void {
  const count = elementCount(domain)
  if (count === 0) return
  // Numbers live unboxed in `numbers`; only 64-bit integers are kept as bigints.
  const numbers = new Float64Array(steps.length)
  const wides: bigint[] = steps.map(() => 0n)
  const put = (step: number, dtype: DType, value: Scalar): void => {
    if (isWide(dtype)) wides[step] = value as bigint
    else numbers[step] = value as number
  }
  const state = { position: 0 }
  const loads: { at: number; readonly strides: readonly number[] }[] = []

  const action = (step: Step, index: number): (() => void) | undefined => {
    switch (step.kind) {
      case 'literal':
        put(index, step.dtype, exactElements(step.dtype, scalarBytes(step.dtype, step.value)).get(0))
        return undefined
      case 'anchor': {
        const anchor = memory.anchor!
        return () => put(index, step.dtype, anchor.get(state.position))
      }
      case 'load': {
        const load = { at: step.access.offset, strides: step.access.strides }
        loads.push(load)
        const source = memory.inputs[step.input]!
        return () => put(index, step.dtype, source.get(load.at))
      }
      case 'apply':
        return application(step, index)
    }
  }

  const application = (step: Extract<Step, { kind: 'apply' }>, index: number): (() => void) => {
    const operands = step.arguments.map((argument) => steps[argument]!.dtype)
    const compute = memory.scalarFunction(step.op, { operands, result: step.dtype, attributes: step.attributes })
    const [a = 0, b = 0, c = 0] = step.arguments
    if (![step.dtype, ...operands].some(isWide)) {
      const round = rounding(step.dtype)
      const narrow = compute as (a: number, b: number, c: number) => number
      return () => {
        numbers[index] = round(narrow(numbers[a]!, numbers[b]!, numbers[c]!))
      }
    }
    const valueOf = step.arguments.map((argument, i) => (isWide(operands[i]!) ? () => wides[argument] : () => numbers[argument]))
    const round = dtypeFacts[step.dtype].kind === 'float' ? rounding(step.dtype) : undefined
    return () => {
      const value = compute(valueOf[0]?.(), valueOf[1]?.(), valueOf[2]?.())
      put(index, step.dtype, round ? round(value as number) : value)
    }
  }

  const actions = steps.map(action).filter((run) => run !== undefined)
  const stores = memory.outputs.map(({ step, elements, rows }) => {
    const wide = isWide(steps[step]!.dtype)
    return (position: number) => {
      const at = rows ? Math.floor(position / rows.length) * rows.stride + (position % rows.length) : position
      elements.set(at, wide ? wides[step]! : numbers[step]!)
    }
  })
  const index = domain.map(() => 0)
  for (; state.position < count; state.position++) {
    for (const run of actions) run()
    for (const store of stores) store(state.position)
    for (let axis = domain.length - 1; axis >= 0; axis--) {
      const wraps = ++index[axis]! === domain[axis]
      for (const load of loads) load.at += wraps ? load.strides[axis]! * (1 - domain[axis]!) : load.strides[axis]!
      if (!wraps) break
      index[axis] = 0
    }
  }
}
