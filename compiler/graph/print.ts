import { graphsWithin, printAttribute, printAttributes } from './builder.ts'
import { type DType, dtypeFacts } from './dtype.ts'
import type { Location } from './location.ts'
import { printSpan } from './location.ts'
import type { ConstantData, Graph, Node } from './node.ts'
import { elementsOf } from './scalar.ts'
import { byteSize, elementCount, printType, type TensorType } from './type.ts'

export interface PrintOptions {
  /** Ends each line with the source locations of its node, as a comment. Default: false. */
  readonly locations?: boolean
  /** Names of nodes, such as `%7`, in place of their numbers in this graph. */
  readonly names?: ReadonlyMap<Node, string>
}

/** Constants of at most this many elements are printed with their values. */
export const inlineElements = 16

/**
 * The text form of a graph; equal graphs have equal text, and `parseGraph` reads it back.
 *
 *     graph "face"(%0)
 *       %0 = input {name: "image"} : f32[1, 3]
 *       %1 = constant @"fc.weight" : f32[64, 3]
 *       %2 = constant @"2" [2] : f32[]
 *       %3 = linear(%0, %1) : f32[1, 64]
 *       %4 = softmax(%3) {axis: -1} : f32[1, 64]
 *       return "scores" = %4
 *
 * Bodies of a node follow its line between `{` and `}`, each such a text.
 */
export function printGraph(graph: Graph, options: PrintOptions = {}): string {
  return `${printLines(graph, options, constantLabels(graph)).join('\n')}\n`
}

/** Bodies stand behind the line of their node, each between braces. */
function printLines(graph: Graph, options: PrintOptions, labels: ReadonlyMap<ConstantData, string>): string[] {
  const names = options.names ?? numberNodes(graph)
  const reference = (node: Node) => names.get(node) ?? `<outside the graph: ${node.op}>`
  const lines = graph.nodes.flatMap((node) => {
    const places = options.locations ? printLocations(graph.locations.get(node) ?? []) : ''
    const bodies = (node.bodies ?? []).flatMap((body) => printLines(body, { ...options, names: numberNodes(body) }, labels))
    const inside = bodies.length > 0 ? ['  {', ...bodies.map((line) => `    ${line}`), '  }'] : []
    return [`  ${printNode(node, reference, labels)}${places}`, ...inside]
  })
  const outputs = graph.outputs.map(({ name, value }) => `${JSON.stringify(name)} = ${reference(value)}`)
  return [
    `graph ${JSON.stringify(graph.name)}(${graph.inputs.map(reference).join(', ')})`,
    ...lines,
    `  return ${outputs.join(', ')}`,
  ]
}

/** The names that nodes bear in the text of a graph: `%0` for the first. */
export const numberNodes = (graph: Graph): Map<Node, string> => new Map(graph.nodes.map((node, i) => [node, `%${i}`]))

/** The line of one node; `labels` has the names of constants where they are not their own. */
export function printNode(
  node: Node,
  reference: (node: Node) => string,
  labels: ReadonlyMap<ConstantData, string> = new Map(),
): string {
  const operands = node.operands.length > 0 ? `(${node.operands.map(reference).join(', ')})` : ''
  const attributes = Object.keys(node.attributes).length > 0 ? ` ${printAttributes(node.attributes)}` : ''
  const payload = node.data ? ` ${printPayload(node.type, node.data, labels.get(node.data) ?? node.data.label)}` : ''
  return `${reference(node)} = ${node.op}${operands}${attributes}${payload} : ${printType(node.type)}`
}

/** The payloads of a graph by the label its text gives them: what `parseGraph` needs beside the text. */
export function constantsOf(graph: Graph): Map<string, ConstantData> {
  return new Map([...constantLabels(graph)].map(([data, label]) => [label, data]))
}

/** Labels made unique by a suffix, in the order of the nodes, those of bodies behind their graph's. */
function constantLabels(graph: Graph): Map<ConstantData, string> {
  const labels = new Map<ConstantData, string>()
  const taken = new Set<string>()
  for (const { data } of [...graphsWithin(graph)].flatMap((each) => each.nodes)) {
    if (!data || labels.has(data)) continue
    let label = data.label
    for (let n = 2; taken.has(label); n++) label = `${data.label}.${n}`
    taken.add(label)
    labels.set(data, label)
  }
  return labels
}

function printPayload(type: TensorType, data: ConstantData, label: string): string {
  const name = `@${JSON.stringify(label)}`
  if (elementCount(type.shape) > inlineElements) return name
  return `${name} ${printBytes(type.dtype, data.read())}`
}

/** `[1, 0.5]` where the numbers give back the bytes, `bytes "7fc00001"` for the rest: a NaN with a payload, a bool of 2. */
function printBytes(dtype: DType, bytes: Uint8Array): string {
  const wide = dtype === 'i64' || dtype === 'u64'
  const texts = wide
    ? bigIntegers(dtype, bytes).map(String)
    : Array.from({ length: elementsOf(dtype, bytes).length }, (_, i) => printAttribute(elementsOf(dtype, bytes).get(i)))
  const back = readElements(dtype, texts)
  return back && Buffer.compare(back, bytes) === 0 ? `[${texts.join(', ')}]` : `bytes "${Buffer.from(bytes).toString('hex')}"`
}

function bigIntegers(dtype: DType, bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const read = (offset: number) => (dtype === 'i64' ? view.getBigInt64(offset, true) : view.getBigUint64(offset, true))
  return Array.from({ length: Math.floor(bytes.byteLength / 8) }, (_, i) => read(i * 8))
}

/** The bytes of elements given as text; undefined when one is not a number of that dtype's notation. */
export function readElements(dtype: DType, texts: readonly string[]): Uint8Array | undefined {
  const bytes = new Uint8Array(texts.length * dtypeFacts[dtype].bytes)
  if (dtype === 'i64' || dtype === 'u64') {
    if (!texts.every((text) => /^-?\d{1,20}$/.test(text))) return undefined
    const view = new DataView(bytes.buffer)
    for (const [i, text] of texts.entries()) view.setBigUint64(i * 8, BigInt.asUintN(64, BigInt(text)), true)
    return bytes
  }
  const elements = elementsOf(dtype, bytes)
  for (const [i, text] of texts.entries()) elements.set(i, Number(text))
  return bytes
}

/** Bytes of a payload in hexadecimal notation; undefined when they are not as many as the type has. */
export function readHex(type: TensorType, text: string): Uint8Array | undefined {
  return /^([0-9a-f]{2})*$/.test(text) && text.length === 2 * byteSize(type)
    ? new Uint8Array(Buffer.from(text, 'hex'))
    : undefined
}

function printLocations(locations: readonly Location[]): string {
  const texts = locations.flatMap((l) => (l.kind === 'source' ? [[l.span, ...l.calls].map(printSpan).join(' < ')] : []))
  return texts.length > 0 ? `  // ${texts.join('; ')}` : ''
}
