import { byteSize, type DType, dtypeFacts, elementCount, elementsOf, type TensorType } from '../../../compiler/graph/index.ts'
import type { OnnxAttribute, OnnxNode } from '../model.ts'
import { shortest } from '../record/numbers.ts'
import type { Recorder } from '../record/recorder.ts'
import type { Known, OpContext, Value } from './context.ts'
import type { Entry } from './environment.ts'
import { printable, Stop } from './problem.ts'

/** What a context asks of the import that it belongs to. */
export interface Site {
  readonly node: OnnxNode
  readonly opset: number
  readonly recorder: Recorder
  /** The value of input i; undefined where the optional input is left out. */
  entry(i: number): Entry | undefined
  /** The tensor of a value, which becomes a constant of the model where it is known. */
  tensorOf(entry: Entry): Value
  /** A tensor with known elements, called `name` where it goes to the weights file. */
  constantFor(name: string, known: Known): Value
  typeOf(entry: Entry): TensorType
  isConstant(entry: Entry): boolean
  knownOf(entry: Entry): Known | undefined
  /** How large the value of this name may be, where whoever imports says it. */
  limit(name: string): number | undefined
  /** Tells whoever imports. */
  note(what: string): void
  /** Whether a later node or the graph takes output i. */
  wants(i: number): boolean
}

/** Elements that a rule may ask for, or make, as numbers: more than any shape, index list or border needs. */
const maximumNumbers = 1 << 22

const stop = (what: string, remedy?: string): never => {
  throw new Stop(what, remedy)
}

export function createContext(site: Site): OpContext {
  const { node } = site
  let literals = 0

  function attribute<K extends OnnxAttribute['kind']>(
    name: string,
    kind: K,
  ): Extract<OnnxAttribute, { kind: K }>['value'] | undefined {
    const found = node.attributes.get(name)
    if (found === undefined) return undefined
    if (found.kind === kind) return found.value as never
    // An empty list carries no kind of its own in some files.
    if ((kind === 'ints' || kind === 'floats') && (found.kind === 'ints' || found.kind === 'floats')) return found.value as never
    return stop(`attribute ${name} is of kind ${found.kind}, not ${kind}`)
  }

  const needed = <T>(name: string, value: T | undefined, fallback: T | undefined): T =>
    value ?? fallback ?? stop(`attribute ${name} is missing`)

  const present = (i: number): Entry => site.entry(i) ?? stop(`input ${i} is missing`)

  const dependsOnData = (i: number): never =>
    stop(
      `input ${i} '${printable(node.inputs[i]!, 80)}' depends on data, it must follow from constants and shapes`,
      '--constant fixes an input of the graph; else export the model with fixed shapes, or simplify it with onnxsim',
    )

  const context: OpContext = {
    node,
    opset: site.opset,
    d: site.recorder.d,
    inputCount: node.inputs.length,
    outputCount: node.outputs.length,
    wantsOutput: (i) => site.wants(i),
    has: (i) => site.entry(i) !== undefined,
    typeOf: (i) => site.typeOf(present(i)),
    input: (i) => site.tensorOf(present(i)),
    optional(i) {
      const entry = site.entry(i)
      return entry && site.tensorOf(entry)
    },
    constantInput(i) {
      const entry = present(i)
      if (entry.kind === 'known') return site.tensorOf(entry)
      return site.constantFor(`${node.inputs[i]}.constant`, site.knownOf(entry) ?? dependsOnData(i))
    },
    isConstant(i) {
      const entry = site.entry(i)
      return entry !== undefined && site.isConstant(entry)
    },
    known(i) {
      const entry = site.entry(i)
      return entry && site.knownOf(entry)
    },
    numbers(i) {
      const entry = site.entry(i)
      if (!entry) return undefined
      return numbersOf(site.knownOf(entry) ?? dependsOnData(i), i)
    },
    int: (name, fallback) => needed(name, attribute(name, 'int'), fallback),
    float(name, fallback) {
      const value = attribute(name, 'float')
      return needed(name, value === undefined ? undefined : shortest('f32', value), fallback)
    },
    text: (name, fallback) => needed(name, attribute(name, 'string'), fallback),
    ints: (name) => attribute(name, 'ints'),
    floats: (name) => attribute(name, 'floats')?.map((value) => shortest('f32', value)),
    tensor: (name) => attribute(name, 'tensor'),
    constant: (dtype, shape, values) => ({ type: { dtype, shape: [...shape] }, bytes: bytesOf(dtype, shape, values) }),
    literal(dtype, shape, values) {
      const name = `${node.outputs.find((output) => output !== '') ?? node.op}.${literals === 0 ? 'constant' : `constant${literals + 1}`}`
      literals++
      return site.constantFor(name, context.constant(dtype, shape, values))
    },
    madeOf: (i, known) => site.constantFor(`${node.inputs[i]}.packed`, known),
    limit: (name) => site.limit(name),
    sizes(i) {
      const entry = site.entry(i)
      return entry?.kind === 'tensor' ? entry.list : undefined
    },
    note: (what) => site.note(printable(`${node.op}: ${what}`, 400)),
    unsupported: stop,
  }
  return context
}

function numbersOf(known: Known, i: number): readonly number[] {
  const count = elementCount(known.type.shape)
  if (count > maximumNumbers) return stop(`input ${i} has ${count} elements, which is more than such an input may have`)
  const elements = elementsOf(known.type.dtype, known.bytes)
  return Array.from({ length: count }, (_, index) => elements.get(index))
}

export function bytesOf(dtype: DType, shape: readonly number[], values: readonly (number | bigint)[]): Uint8Array {
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) return stop(`[${shape.join(', ')}] is no shape`)
  const count = elementCount(shape)
  if (!(count <= maximumNumbers)) return stop(`a result of [${shape.join(', ')}] is too large to be a constant`)
  if (values.length !== count) return stop(`${values.length} values do not fill [${shape.join(', ')}]`)
  const bytes = new Uint8Array(byteSize({ dtype, shape }))
  const elements = elementsOf(dtype, bytes)
  const wide = dtypeFacts[dtype].bytes === 8 && dtypeFacts[dtype].kind !== 'float' ? new DataView(bytes.buffer) : undefined
  for (const [i, value] of values.entries()) {
    if (typeof value === 'number') elements.set(i, value)
    else if (wide) wide.setBigInt64(i * 8, BigInt.asIntN(64, value), true)
    else elements.set(i, Number(value))
  }
  return bytes
}
