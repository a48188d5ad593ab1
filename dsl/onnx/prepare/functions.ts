import { reject } from '../../../compiler/graph/index.ts'
import type { OnnxAttribute, OnnxFunction, OnnxGraph, OnnxModel, OnnxNode } from '../model.ts'
import { functionKey } from '../proto/read.ts'
import { quote } from '../quote.ts'
import { type Copier, copyNodes, declare, nameOutputs, type Scope } from './copy.ts'
import { createFresh, describeNode, type Fresh, graphsOf, valueNames } from './names.ts'

/** Functions within functions. */
const maximumDepth = 64

/** Names and edges of a file after expansion: functions within functions may double with each level. */
const maximumSize = 2_000_000

interface Expansion {
  readonly model: OnnxModel
  readonly fresh: Fresh
}

/** A model in whose graphs no function of the file is called: each call is replaced by the function's nodes. */
export function expandFunctions(model: OnnxModel): OnnxModel {
  if (model.functions.size === 0) return model
  checkSize(model)
  const expansion: Expansion = { model, fresh: createFresh(valueNames(model)) }
  return { ...model, graph: expandGraph(model.graph, expansion), functions: new Map() }
}

const calledBy = (node: OnnxNode, { functions }: OnnxModel): OnnxFunction | undefined =>
  functions.get(functionKey({ ...node, name: node.op }))

/** That the functions come to an end, and how much they make, is found out before anything is copied. */
function checkSize(model: OnnxModel): void {
  const known = new Map<OnnxFunction, number>()
  const calls: string[] = []

  function sizeOf(nodes: readonly OnnxNode[]): number {
    let size = 0
    for (const node of nodes) {
      size += 1 + node.inputs.length + node.outputs.length + node.attributes.size
      for (const { nodes: inner, inputs, outputs, initializers } of graphsOf(node))
        size += inputs.length + outputs.length + initializers.size + sizeOf(inner)
      const called = calledBy(node, model)
      if (called) size += sizeOfFunction(called)
    }
    return size
  }

  function sizeOfFunction(called: OnnxFunction): number {
    const before = known.get(called)
    if (before !== undefined) return before
    const key = functionKey(called)
    if (calls.includes(key))
      reject('onnx-malformed', `function ${quote(key)} calls itself: ${[...calls, key].map(quote).join(' → ')}`)
    if (calls.length >= maximumDepth) reject('onnx-malformed', `functions are nested deeper than ${maximumDepth} levels`)
    calls.push(key)
    const size = called.inputs.length + called.outputs.length + sizeOf(called.nodes)
    calls.pop()
    known.set(called, size)
    return size
  }

  const size = sizeOf(model.graph.nodes)
  if (!(size <= maximumSize))
    reject(
      'onnx-malformed',
      `the functions of the file expand to ${size} names, the limit is ${maximumSize}; do they call each other too often?`,
    )
}

const expandGraph = (graph: OnnxGraph, expansion: Expansion): OnnxGraph => ({
  ...graph,
  nodes: expandNodes(graph.nodes, expansion),
})

function expandNodes(nodes: readonly OnnxNode[], expansion: Expansion): OnnxNode[] {
  const expanded: OnnxNode[] = []
  for (const node of nodes) {
    const called = calledBy(node, expansion.model)
    if (!called) expanded.push(expandWithin(node, expansion))
    // One by one: a spread of a long list would overflow the stack.
    else for (const each of expandNodes(inline(called, node, expansion), expansion)) expanded.push(each)
  }
  return expanded
}

function expandWithin(node: OnnxNode, expansion: Expansion): OnnxNode {
  if (![...node.attributes.values()].some(({ kind }) => kind === 'graph')) return node
  const attributes = new Map<string, OnnxAttribute>()
  for (const [name, attribute] of node.attributes)
    attributes.set(
      name,
      attribute.kind === 'graph' ? { kind: 'graph', value: expandGraph(attribute.value, expansion) } : attribute,
    )
  return { ...node, attributes }
}

/** The body of a function with the names of one call. */
function inline(called: OnnxFunction, call: OnnxNode, { model, fresh }: Expansion): OnnxNode[] {
  const name = functionKey(called)
  const wrong = (what: string): never => reject('onnx-malformed', `${describeNode(call)} calls function ${quote(name)}: ${what}`)
  for (const list of ['inputs', 'outputs'] as const)
    if (call[list].length > called[list].length)
      wrong(`it has ${call[list].length} ${list}, the function has ${called[list].length}`)
  const free = (value: string): never => wrong(`the function uses the value ${quote(value)}, which nothing in it makes`)
  const copier: Copier = {
    fresh,
    prefix: `${call.name || call.op}/`,
    reference: (attribute) => call.attributes.get(attribute) ?? called.attributes.get(attribute),
    free,
    finish: (node) => withOpset(node, called, model),
  }
  const scope: Scope = { names: new Map(called.inputs.map((input, i) => [input, call.inputs[i] ?? ''])) }
  const made = new Set(called.nodes.flatMap((node) => node.outputs))
  const copies = nameOutputs(called.outputs, call.outputs, made, scope, free)
  declare(called.nodes, scope, copier)
  return [...copyNodes(called.nodes, scope, copier), ...copies]
}

/** A function imports operators of its own versions. Nodes that it hands on to inner functions keep the version of the innermost. */
function withOpset(node: OnnxNode, called: OnnxFunction, model: OnnxModel): OnnxNode {
  const version = called.opsets.get(node.domain)
  return version === undefined || version === model.opsets.get(node.domain) ? node : { ...node, opset: version }
}
