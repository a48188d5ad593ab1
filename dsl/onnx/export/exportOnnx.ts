import {
  createBuilder,
  elementCount,
  type Graph,
  hasTrait,
  InvariantError,
  inputName,
  isPrimitive,
  type ModelGraph,
  ModelProblem,
  mainEntry,
  type Node,
  nameOperands,
  plainType,
  printLocation,
} from '../../../compiler/graph/index.ts'
import { lowerNode } from '../../../compiler/lower/index.ts'
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from '../model.ts'
import { newestOpset } from '../prepare/index.ts'
import { writeModel } from '../proto/write.ts'
import { acceptedBy } from './accepted.ts'
import { type ExportContext, Inexpressible, type Ref } from './context.ts'
import { exportRules } from './rules/index.ts'
import { createSheet, type Sheet } from './sheet.ts'

export interface ExportOptions {
  /** Which entry, of a model with several. Default: the only one, or `main`. */
  readonly entry?: string
  /** Version of the default operator domain, 17 to 23. Default: 21. */
  readonly opset?: number
}

export const oldestOpset = 17
/** Versions of the file format by operator version, from 17 on. */
const irVersions = [8, 8, 9, 9, 10, 10, 11]

/**
 * One entry of a model as an ONNX file that computes the same. Inputs and outputs keep their names (an output that is called as an input
 * gets `_2` behind it), weights theirs. What the version cannot say is made of simpler operators; what none of them can say is an error
 * that lists all such ops with their places. Throws ModelProblem `onnx-unsupported`.
 */
export const exportOnnx = (model: ModelGraph, options: ExportOptions = {}): Uint8Array => writeModel(exportModel(model, options))

/** The same as plain data. */
export function exportModel(model: ModelGraph, { entry, opset = 21 }: ExportOptions = {}): OnnxModel {
  if (!Number.isInteger(opset) || opset < oldestOpset || opset > newestOpset)
    throw new ModelProblem('onnx-unsupported', `opset ${opset} cannot be written; it may be ${oldestOpset} to ${newestOpset}`)
  const { graph } = chooseEntry(model, entry)
  return {
    irVersion: irVersions[opset - oldestOpset]!,
    opsets: new Map([['', opset]]),
    producer: 'glowplug',
    graph: writeGraph(graph, opset),
    functions: new Map(),
  }
}

function chooseEntry({ name, entries }: ModelGraph, wanted: string | undefined): ModelGraph['entries'][number] {
  const found =
    wanted === undefined && entries.length === 1 ? entries[0] : entries.find((each) => each.name === (wanted ?? mainEntry))
  if (found) return found
  const names = entries.map((each) => `'${each.name}'`).join(', ')
  throw new ModelProblem(
    'onnx-unsupported',
    wanted === undefined
      ? `model '${name}' has the entries ${names}, an ONNX file holds one: say which with the option entry`
      : `model '${name}' has no entry '${wanted}'; it has ${names}`,
  )
}

function writeGraph(graph: Graph, opset: number): OnnxModel['graph'] {
  const border = [...new Set([...graph.inputs.map(inputName), ...graph.outputs.map(({ name }) => name)])]
  const sheet = createSheet(opset, border)
  const refs = new Map<Node, Ref>()
  const problems = new Map<string, number>()
  writeNodes(graph, refs, sheet, opset, problems)
  for (const { name, value } of graph.outputs) requireType(name, refs.get(value)!, opset, problems)
  for (const input of graph.inputs) requireType(inputName(input), refs.get(input)!, opset, problems)
  if (problems.size > 0)
    throw new ModelProblem('onnx-unsupported', ['the model cannot be written as ONNX:', ...problems.keys()].join('\n'))
  const { nodes, outputs } = nameOutputs(graph, refs, sheet)
  const live = liveOf(nodes, outputs)
  return {
    name: graph.name,
    nodes: live,
    inputs: graph.inputs.map((node) => valueOf(inputName(node), node)),
    outputs,
    initializers: usedOf(sheet.initializers, live),
  }
}

/** Adds the nodes of a graph, of which `refs` has what stands for inputs. What cannot be said is gathered. */
function writeNodes(graph: Graph, refs: Map<Node, Ref>, sheet: Sheet, opset: number, problems: Map<string, number>): void {
  const taken = new Map<Node, Set<number>>()
  for (const { op, operands, attributes } of graph.nodes) {
    const from = op === 'resultOf' ? operands[0] : undefined
    if (from) taken.set(from, (taken.get(from) ?? new Set()).add(attributes.offset as number))
  }
  for (const node of graph.nodes) {
    if (refs.has(node)) continue
    const operands = node.operands.map((operand) => refs.get(operand)!)
    try {
      const wants = (offset: number) => taken.get(node)?.has(offset) ?? false
      refs.set(node, writeNode(node, operands, sheet, opset, bodyWriter(node, sheet, opset, problems, wants)))
    } catch (error) {
      if (!(error instanceof Inexpressible)) throw error
      const places = (graph.locations.get(node) ?? []).map(printLocation)
      const line = `- ${node.op}${places.length > 0 ? ` at ${places[0]}` : ''}: ${error.message}${error.remedy ? `; ${error.remedy}` : ''}`
      problems.set(line, (problems.get(line) ?? 0) + 1)
      // Stands for the value, so that what follows is looked at too.
      refs.set(node, { name: sheet.unique(node.op), type: node.type })
    }
  }
}

type Bodies = Pick<ExportContext, 'bodies' | 'body' | 'wantsResult'>

/** How the bodies of a node are written. */
function bodyWriter(
  node: Node,
  sheet: Sheet,
  opset: number,
  problems: Map<string, number>,
  wantsResult: (offset: number) => boolean,
): Bodies {
  const bodies = node.bodies ?? []
  return {
    bodies,
    wantsResult,
    body(index, inputs, declared, finish = (outputs) => outputs) {
      const body = bodies[index]!
      const inner = sheet.inner()
      const refs = new Map(body.inputs.map((input, i) => [input, inputs[i]!] as const))
      writeNodes(body, refs, inner, opset, problems)
      const context: ExportContext = {
        ...inner.contextOf(node),
        bodies: [],
        body: () => noBodies(node),
        wantsResult: () => false,
      }
      const results = finish(
        body.outputs.map(({ value }) => refs.get(value)!),
        context,
      )
      const made = new Set(inner.nodes.flatMap(({ outputs }) => outputs))
      // An output is what a node of the body makes, and nothing twice.
      const outputs = results.map((ref) => {
        if (made.delete(ref.name)) return ref
        const name = sheet.unique('result')
        inner.nodes.push({ op: 'Identity', domain: '', name, inputs: [ref.name], outputs: [name], attributes: new Map() })
        return { name, type: ref.type }
      })
      const border = (refs: readonly Ref[]): OnnxValue[] =>
        refs.map(({ name, type: { dtype, shape } }) => ({ name, dtype, shape }))
      const nodes = liveOf(inner.nodes, border(outputs))
      return { name: body.name, nodes, inputs: border(declared), outputs: border(outputs), initializers: new Map() }
    },
  }
}

const noBodies = (node: Node): never => {
  throw new InvariantError(`${node.op} has no body`)
}

function requireType(name: string, { type: { dtype } }: Ref, opset: number, problems: Map<string, number>): void {
  if (!acceptedBy('Identity', opset)!.includes(dtype))
    problems.set(`- '${name}': ONNX opset ${opset} has no element type ${dtype}; use opset 19 or later`, 1)
}

const valueOf = (name: string, { type: { dtype, shape } }: Node): OnnxValue => ({ name, dtype, shape })

const bodiesOf = ({ attributes }: OnnxNode): OnnxGraph[] =>
  [...attributes.values()].flatMap((attribute) => (attribute.kind === 'graph' ? [attribute.value] : []))

/** Names that a node takes, its bodies among the takers. */
const readBy = (node: OnnxNode): string[] => [
  ...node.inputs,
  ...bodiesOf(node).flatMap(({ nodes, outputs }) => [...nodes.flatMap(readBy), ...outputs.map(({ name }) => name)]),
]

/** Without nodes that a later one made needless, such as a convolution that became one with what follows it. */
function liveOf(nodes: readonly OnnxNode[], outputs: readonly OnnxValue[]): OnnxNode[] {
  const wanted = new Set(outputs.map(({ name }) => name))
  return nodes
    .toReversed()
    .filter((node) => {
      const isWanted = node.outputs.some((name) => wanted.has(name))
      if (isWanted) for (const name of readBy(node)) wanted.add(name)
      return isWanted
    })
    .reverse()
}

/** What attempts left behind and nothing uses is dropped. */
function usedOf(initializers: ReadonlyMap<string, OnnxTensor>, nodes: readonly OnnxNode[]): Map<string, OnnxTensor> {
  const used = new Set(nodes.flatMap(readBy))
  return new Map([...initializers].filter(([name]) => used.has(name)))
}

function writeNode(node: Node, operands: readonly Ref[], sheet: Sheet, opset: number, bodies: Bodies): Ref {
  const ref = writeValue(node, operands, sheet, opset, bodies)
  if (!hasTrait(node, 'storage') && !sheet.made.has(ref.name)) sheet.made.set(ref.name, { node, operands })
  return ref
}

function writeValue(node: Node, operands: readonly Ref[], sheet: Sheet, opset: number, bodies: Bodies): Ref {
  if (node.op === 'input') return { name: inputName(node), type: node.type }
  if (node.data) return sheet.constant(node.type, node.data)
  // Engines stumble over empty tensors; what they are computed from does not matter.
  if (elementCount(node.type.shape) === 0 && !isPrimitive(node) && !hasTrait(node, 'checked'))
    return writeLowered(node, operands, sheet, opset)
  const before = sheet.nodes.length
  const rule = exportRules[node.op as keyof typeof exportRules] as (
    operands: unknown,
    attributes: unknown,
    c: ExportContext,
  ) => Ref | undefined
  try {
    const made = rule(nameOperands(node.op, operands), node.attributes, { ...sheet.contextOf(node), ...bodies })
    if (made) return { name: made.name, type: node.type }
  } catch (error) {
    if (!(error instanceof Inexpressible) || isPrimitive(node)) throw error
  }
  sheet.nodes.length = before
  if (isPrimitive(node)) throw new InvariantError(`nothing says the primitive ${node.op} in ONNX`)
  return writeLowered(node, operands, sheet, opset)
}

/** A composite in terms of simpler ops, as the compiler would have it; those that are composites too are written by their own rules. */
function writeLowered(node: Node, operands: readonly Ref[], sheet: Sheet, opset: number): Ref {
  const builder = createBuilder()
  const refs = new Map<Node, Ref>()
  const inputs = node.operands.map((operand, i) => {
    // Rules of lowering are asked about elements; what integers stand for is said by ops.
    const type = plainType(operand.type)
    if (operand.data) return builder.constant(type, operand.data)
    const input = builder.input(String(i), type)
    refs.set(input, operands[i]!)
    return input
  })
  const value = lowerNode(node, builder, inputs, (made) => made !== node)
  for (const each of builder.finish(node.op, inputs, [{ name: '', value }]).nodes) {
    if (refs.has(each)) continue
    const parts = each.operands.map((operand) => refs.get(operand)!)
    refs.set(
      each,
      writeNode(
        each,
        parts,
        sheet,
        opset,
        bodyWriter(each, sheet, opset, new Map(), () => true),
      ),
    )
  }
  return refs.get(value)!
}

/** Gives results the names of the outputs that they are; an output that is nothing's result, or is twice, is a copy. */
function nameOutputs(graph: Graph, refs: ReadonlyMap<Node, Ref>, sheet: Sheet): { nodes: OnnxNode[]; outputs: OnnxValue[] } {
  const inputs = new Set(graph.inputs.map(inputName))
  const made = new Set(sheet.nodes.flatMap(({ outputs }) => outputs))
  const renamed = new Map<string, string>()
  const copies: OnnxNode[] = []
  const outputs = graph.outputs.map(({ name, value }) => {
    const own = inputs.has(name) ? sheet.unique(name) : name
    const from = refs.get(value)!.name
    if (made.has(from) && !renamed.has(from)) renamed.set(from, own)
    else copies.push({ op: 'Identity', domain: '', name: own, inputs: [from], outputs: [own], attributes: new Map() })
    return valueOf(own, value)
  })
  const rename = (name: string) => renamed.get(name) ?? name
  const renameNode = (node: OnnxNode): OnnxNode => ({
    ...node,
    name: node.outputs.map(rename)[0]!,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes: new Map(
      [...node.attributes].map(([name, attribute]) => [
        name,
        attribute.kind === 'graph'
          ? { kind: 'graph', value: { ...attribute.value, nodes: attribute.value.nodes.map(renameNode) } }
          : attribute,
      ]),
    ),
  })
  return { nodes: [...sheet.nodes, ...copies].map(renameNode), outputs }
}
