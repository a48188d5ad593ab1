import type { Step } from '../../../compiler/fuse/kernel.ts'
import { dtypeFacts } from '../../../compiler/graph/dtype.ts'
import { collapse, type Domain } from '../access.ts'
import { type Level, lanesOf } from '../level.ts'
import {
  evaluateScalar,
  evaluateVector,
  isVectorProgram,
  type Pointers,
  resultIndex,
  storeScalars,
  storeVectors,
} from '../steps.ts'
import { type Lines, loop, sum } from '../text.ts'

/** A program without an anchor: for each position of the domain, all loads, then the stores. */
export function elementwiseBody(given: Domain, pointers: Pointers, level: Level): Lines {
  const domain = collapse(given)
  const variables = domain.extents.map((_, axis) => `i${axis}`)
  const width = domain.extents.at(-1) ?? 1
  const inner = innerLoop(domain, variables, width, pointers, level)
  return domain.extents.slice(0, -1).reduceRight<Lines>((body, extent, axis) => loop(`i${axis}`, 0, extent, 1, body), inner)
}

function innerLoop(domain: Domain, variables: readonly string[], width: number, pointers: Pointers, level: Level): Lines {
  const last = variables.at(-1)
  const copied = copiedRun(domain)
  if (copied) {
    const bytes = width * dtypeFacts[copied.dtype].bytes
    const row = [...variables.slice(0, -1), '0']
    const from = sum(
      row.map((variable, axis) => [variable, copied.access.strides[axis]!] as const),
      copied.access.offset,
    )
    return [
      `gp_copy(${pointers.results[0]!.pointer} + ${resultIndex(domain, row)}, ${pointers.inputs[copied.input]} + ${from}, ${bytes});`,
    ]
  }
  if (!isVectorProgram(domain.steps)) return scalarLoop(domain, variables, width, pointers)
  const lanes = lanesOf(level)
  const rest = width % lanes
  const at = (position: readonly string[], count: number) => {
    const { invariant, lines, values } = evaluateVector(domain.steps, position, pointers.inputs, count, level)
    return { invariant, body: [...lines, ...storeVectors(pointers, resultIndex(domain, position), values, count, level)] }
  }
  if (last === undefined) {
    const { invariant, body } = at(variables, 1)
    return [...invariant, ...body]
  }
  const whole = at(variables, lanes)
  // The tail's statements stand in their own block; what does not move along the row is shared.
  const tail = rest > 0 ? loop(last, width - rest, width, rest, at(variables, rest).body) : []
  return [...whole.invariant, ...loop(last, 0, width - rest, lanes, whole.body), ...tail]
}

/** Programs of one load, contiguous along the last dimension, are copies of bytes. Not for bool, whose bytes may be other than 0 and 1. */
function copiedRun(domain: Domain): Extract<Step, { kind: 'load' }> | undefined {
  const step = domain.steps[0]!
  if (domain.steps.length > 1 || step.kind !== 'load' || step.dtype === 'bool' || domain.extents.length === 0) return undefined
  return step.access.strides.at(-1) === 1 && domain.extents.at(-1)! * dtypeFacts[step.dtype].bytes >= 64 ? step : undefined
}

function scalarLoop(domain: Domain, variables: readonly string[], width: number, pointers: Pointers): Lines {
  const index = resultIndex(domain, variables)
  const step = domain.steps[0]!
  const last = variables.at(-1)
  if (domain.steps.length === 1 && step.kind === 'load' && step.dtype !== 'bool') {
    const from = sum(
      variables.map((variable, axis) => [variable, step.access.strides[axis]!] as const),
      step.access.offset,
    )
    const move = [`${pointers.results[0]!.pointer}[${index}] = ${pointers.inputs[step.input]}[${from}];`]
    return last === undefined ? move : loop(last, 0, width, 1, move)
  }
  const { invariant, lines, values } = evaluateScalar(domain.steps, variables, pointers.inputs)
  const body = [...lines, ...storeScalars(pointers, index, values)]
  return [...invariant, ...(last === undefined ? body : loop(last, 0, width, 1, body))]
}
