import { reject } from '../compiler/graph/index.ts'
import { readChoice, readInteger, readOptions } from './check.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'

type Any = Tensor<any, any>

/** Binary decision trees, all their nodes in one list. A leaf is a node whose branches lead back to itself. */
export interface TreeTables {
  /** `[nodes]`, i32 or i64: which column of input a node looks at. */
  readonly feature: Tensor
  /** `[nodes]`, the element type of input: values up to this one go the way of `yes`, others and NaN that of `no`. */
  readonly threshold: Tensor
  /** `[nodes]`, the type of feature: the node that follows where the value is at most the threshold. */
  readonly yes: Tensor
  /** `[nodes]`, the type of feature: the node that follows elsewhere. */
  readonly no: Tensor
  /** `[nodes]`, bool: where NaN goes the way of `yes`. Default: nowhere. */
  readonly missing?: Tensor
  /** `[trees]`, the type of feature: where each tree begins. */
  readonly roots: Tensor
  /** `[nodes, targets]`, float: what a leaf says of each target. */
  readonly values: Tensor
}

export interface TreeOptions {
  /** Decisions from a root to the leaf that is farthest from it. */
  readonly depth: number
  /** How trees are put together. Default 'sum'. */
  readonly combine?: 'sum' | 'mean' | 'min' | 'max'
}

type Answers<X, V> = X extends readonly [infer N, any] ? (V extends readonly [any, infer T] ? [N, T] : [N, any]) : any

const combined = { sum: 'reduceSum', mean: 'reduceMean', min: 'reduceMin', max: 'reduceMax' } as const

/**
 * What decision trees say, put together: random forests and boosted trees (ONNX TreeEnsemble 5).
 *
 * All trees go down by one decision at a time; `depth` of them reach every leaf.
 * @param input `[rows, features]`, float
 * @param tables the trees: `feature`, `threshold`, `yes`, `no`, `missing`, `roots` and `values`
 * @param options `depth`, decisions to the farthest leaf; `combine`: 'sum' (default), 'mean', 'min' or 'max' over trees
 */
export function decisionTrees<X extends Tensor, V extends Tensor>(
  input: X,
  tables: TreeTables & { readonly values: V },
  options: TreeOptions,
): Tensor<V['dtype'], Answers<X['shape'], V['shape']>> {
  const op = 'decisionTrees'
  const given = readOptions(op, options, ['depth', 'combine'])
  const table = readOptions(op, tables, ['feature', 'threshold', 'yes', 'no', 'missing', 'roots', 'values'])
  const { shape, dtype } = nodeOf(input, op, 'input').type
  if (shape.length !== 2) reject('rank-mismatch', `${op}: input must be [rows, features], got [${shape.join(', ')}]`)
  const typeOf = (name: string) => nodeOf(table[name], op, name).type
  const [nodes] = typeOf('feature').shape
  for (const name of ['feature', 'threshold', 'yes', 'no', ...(table.missing === undefined ? [] : ['missing'])])
    if (typeOf(name).shape.join() !== `${nodes}`)
      reject('shape-mismatch', `${op}: ${name} must be [${nodes}], one for each node, got [${typeOf(name).shape.join(', ')}]`)
  const [trees, ...none] = typeOf('roots').shape
  if (trees === undefined || none.length > 0)
    return reject('rank-mismatch', `${op}: roots must be [trees], got [${typeOf('roots').shape.join(', ')}]`)
  const values = typeOf('values').shape
  if (values.length !== 2 || values[0] !== nodes)
    reject('shape-mismatch', `${op}: values must be [${nodes}, targets], got [${values.join(', ')}]`)
  if (typeOf('threshold').dtype !== dtype)
    reject('dtype-mismatch', `${op}: threshold is ${typeOf('threshold').dtype}, input is ${dtype}; convert one with cast()`)
  const depth = readInteger(op, 'depth', given.depth, 0)
  const combine = readChoice(op, 'combine', given.combine, ['sum', 'mean', 'min', 'max'], 'sum')

  const rows = shape[0]!
  const of = (name: string, at: Any): Any => call('gather', { input: table[name], indices: at }, { axis: 0 }, op)
  const begin = call('reshape', { input: table.roots }, { shape: [1, trees] }, op)
  let at = call('expand', { input: begin }, { shape: [rows, trees] }, op)
  for (let step = 0; step < depth; step++) {
    const value = call('gatherElements', { input, indices: of('feature', at) }, { axis: 1 }, op)
    const low = call('lessOrEqual', { left: value, right: of('threshold', at) }, {}, op)
    const isYes =
      table.missing === undefined
        ? low
        : call(
            'or',
            {
              left: low,
              right: call('and', { left: call('isNaN', { input: value }, {}, op), right: of('missing', at) }, {}, op),
            },
            {},
            op,
          )
    at = call('where', { condition: isYes, whenTrue: of('yes', at), whenFalse: of('no', at) }, {}, op)
  }
  return call(combined[combine], { input: of('values', at) }, { axes: [1], keepDims: false }, op)
}
