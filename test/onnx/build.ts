import { byteSize, type DType, elementsOf } from '../../compiler/graph/index.ts'
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from '../../dsl/onnx/model.ts'

/** An attribute from a plain value: whole numbers are ints, `{ float }` says otherwise. */
export type Written =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | OnnxTensor
  | OnnxGraph

export function onnxTensor(name: string, dtype: DType, shape: readonly number[], values: readonly number[]): OnnxTensor {
  const bytes = new Uint8Array(byteSize({ dtype, shape }))
  const elements = elementsOf(dtype, bytes)
  if (values.length !== elements.length) throw new Error(`${name}: ${values.length} values for [${shape}]`)
  for (const [i, value] of values.entries()) elements.set(i, value)
  return { name, dtype, shape, read: () => bytes }
}

const attributeOf = (value: Written): OnnxAttribute => {
  if (typeof value === 'number') return { kind: 'int', value }
  if (typeof value === 'string') return { kind: 'string', value }
  if (Array.isArray(value)) return { kind: 'ints', value }
  if ('float' in value) return { kind: 'float', value: value.float }
  if ('floats' in value) return { kind: 'floats', value: value.floats }
  if ('strings' in value) return { kind: 'strings', value: value.strings }
  return 'nodes' in value ? { kind: 'graph', value } : { kind: 'tensor', value: value as OnnxTensor }
}

/** `'x, , y'` names inputs with one left out; a domain stands before the operator: `'com.microsoft.Gelu'`. */
export function onnxNode(
  op: string,
  inputs: string,
  outputs: string,
  attributes: Readonly<Record<string, Written>> = {},
  name = '',
): OnnxNode {
  const list = (text: string) => (text === '' ? [] : text.split(',').map((part) => part.trim()))
  const dot = op.lastIndexOf('.')
  return {
    op: op.slice(dot + 1),
    domain: dot < 0 ? '' : op.slice(0, dot),
    name,
    inputs: list(inputs),
    outputs: list(outputs),
    attributes: new Map(Object.entries(attributes).map(([key, value]) => [key, attributeOf(value)])),
  }
}

export interface Sketch {
  readonly inputs?: Readonly<Record<string, readonly [DType, readonly (number | string | undefined)[]]>>
  readonly constants?: readonly OnnxTensor[]
  readonly nodes: readonly OnnxNode[]
  readonly outputs: readonly string[]
}

export const onnxGraph = ({ inputs = {}, constants = [], nodes, outputs }: Sketch): OnnxGraph => ({
  name: 'sketch',
  nodes,
  inputs: Object.entries(inputs).map(([name, [dtype, shape]]): OnnxValue => ({ name, dtype, shape })),
  outputs: outputs.map((name) => ({ name })),
  initializers: new Map(constants.map((tensor) => [tensor.name, tensor])),
})

/** A prepared model, as the reader would hand it to the importer. */
export const onnxModel = (sketch: Sketch, opset = 21): OnnxModel => ({
  irVersion: 9,
  opsets: new Map([
    ['', opset],
    ['com.microsoft', 1],
  ]),
  producer: 'test',
  graph: onnxGraph(sketch),
  functions: new Map(),
})
