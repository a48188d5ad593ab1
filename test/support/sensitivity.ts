// Compares two graphs numerically, with bounds that come from the first one's own sensitivity to rounding.
import {
  byteSize,
  type DType,
  elementsOf,
  type Graph,
  hasTrait,
  inputName,
  isFloat,
  type Node,
  printGraph,
  printType,
} from '../../compiler/graph/index.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { mulberry, randomInputs } from './randomGraph.ts'

type Bytes = Readonly<Record<string, Uint8Array>>

/** Distance to the next value, relative to it. */
const spacing: Partial<Record<DType, number>> = { f32: 2 ** -23, f64: 2 ** -52, f16: 2 ** -10, bf16: 2 ** -7 }
const smallest: Partial<Record<DType, number>> = { f32: 2 ** -126, f64: 2 ** -1022, f16: 2 ** -14, bf16: 2 ** -126 }

/** All outputs; with `random`, every float that is computed or stored is moved by up to two spacings. */
function run({ nodes, outputs }: Graph, inputs: Bytes, random?: () => number): Record<string, Uint8Array> {
  const values = new Map<Node, Uint8Array>()
  for (const node of nodes) {
    const operands = node.operands.map((operand) => values.get(operand)!)
    const value = node.data ? node.data.read() : hasTrait(node, 'storage') ? inputs[inputName(node)]! : evaluate(node, operands)
    values.set(node, random && !hasTrait(node, 'movement') ? perturbed(node, value, random) : value)
  }
  return Object.fromEntries(outputs.map(({ name, value }) => [name, values.get(value)!]))
}

function perturbed({ type }: Node, bytes: Uint8Array, random: () => number): Uint8Array {
  const relative = spacing[type.dtype]
  if (!relative) return bytes
  const result = new Uint8Array(bytes)
  const elements = elementsOf(type.dtype, result)
  for (let i = 0; i < elements.length; i++) {
    const value = elements.get(i)
    if (Number.isFinite(value)) elements.set(i, value * (1 + (random() * 4 - 2) * relative))
  }
  return result
}

/**
 * Throws when the outputs of `actual` differ from those of `expected` by more than rounding explains: eight times what moving every
 * intermediate value of `expected` by two spacings does to its outputs. Elements that jump under that (rounding, comparison) are skipped.
 */
export function expectEqualGraphs(actual: Graph, expected: Graph, seed: number): void {
  const inputs = randomInputs(expected, seed)
  expectOutputs(run(lowerGraph(actual, new Set()), inputs), expected, inputs, () => printGraph(actual))
}

/** The same for outputs that something else computed. */
export function expectOutputs(actual: Bytes, expected: Graph, inputs: Bytes, describe: () => string = () => ''): void {
  referenceOf(expected, inputs)(actual, describe)
}

/**
 * What `expectOutputs` compares with, computed once: a function that throws where outputs are others than those of `expected` over these
 * inputs. Throws EvaluationFault where `expected` itself fails on them.
 */
export function referenceOf(
  expected: Graph,
  inputs: Bytes,
  /** Lets an element be a number where `expected` has none, such as where powers in it overflow. Default false. */
  { numbersForNaN = false }: { readonly numbersForNaN?: boolean } = {},
): (actual: Bytes, describe?: () => string) => void {
  const lowered = lowerGraph(expected, new Set())
  const base = run(lowered, inputs)
  const others: Bytes[] = []
  // Most outputs are equal to the last bit, so that nobody asks for these.
  const moved = (count: number): readonly Bytes[] => {
    while (others.length < count) others.push(run(lowered, inputs, mulberry(others.length + 1)))
    return others
  }
  return (actual, describe = () => '') => {
    for (const { name, value } of expected.outputs) {
      const { dtype } = value.type
      const read = (bytes: Bytes) => elementsOf(dtype, bytes[name]!)
      if (actual[name]?.byteLength !== byteSize(value.type))
        throw new Error(`output ${name} has ${actual[name]?.byteLength} bytes, expected ${printType(value.type)}`)
      const [found, wanted] = [read(actual), read(base)]
      for (let i = 0; i < wanted.length; i++) {
        const [a, b] = [found.get(i), wanted.get(i)]
        if (Object.is(a, b) || a === b || (numbersForNaN && Number.isNaN(b))) continue
        const around = (count: number) => moved(count).map((bytes) => read(bytes).get(i))
        const explains = (values: readonly number[]) =>
          isFloat(dtype) ? isClose(a, b, values, dtype) : values.some((other) => other !== b)
        // A few may all happen to move one element little; in doubt there are more.
        if (explains(around(3)) || explains(around(16))) continue
        throw new Error(
          `output ${name}[${i}] is ${a}, expected ${b} (moved: ${around(3).join(', ')})\n${printGraph(expected)}\n${describe()}`,
        )
      }
    }
  }
}

function isClose(a: number, b: number, around: readonly number[], dtype: DType): boolean {
  if (!Number.isFinite(b)) return around.some((other) => !Object.is(other, b))
  if (around.some((other) => !Number.isFinite(other))) return true
  const noise = Math.max(...around.map((other) => Math.abs(other - b)))
  return Math.abs(a - b) <= 8 * noise + 4 * spacing[dtype]! * Math.abs(b) + 4 * smallest[dtype]!
}
