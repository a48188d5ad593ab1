import { type DType, elementCount, elementsOf } from '../../../../compiler/graph/index.ts'
import type { OnnxTensor } from '../../model.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { classLabels, labelled, type PostTransform, postTransformOf, postTransforms, rowsOf, transformed } from './classical.ts'
import { castTo, dimsOf, range } from './shared.ts'
import {
  type Asked,
  asThresholds,
  type Decision,
  depthOf,
  type Forest,
  type Leaf,
  largestTable,
  type Mode,
} from './thresholds.ts'

/** Scores `[rows, targets]` before base values. */
function evaluated(c: OpContext, x: Value, forest: Forest): Value {
  const { asked, leafAt } = asThresholds(c, forest)
  const { nodes, roots, targets, dtype, combine } = forest
  if (asked.length * targets > largestTable) return c.unsupported(`${asked.length} nodes of ${targets} targets are too many`)
  const depth = depthOf(c, asked, leafAt, roots)
  const values = new Array<number>(asked.length * targets).fill(0)
  for (const [at, node] of nodes.entries()) {
    if (node.kind !== 'leaf') continue
    for (const { target, value } of node.weights) {
      if (!(target >= 0 && target < targets)) return c.unsupported(`target ${target} is outside ${targets}`)
      values[at * targets + target]! += value
    }
  }
  const features = dimsOf(x)[1]!
  if (asked.some(({ feature }) => !(feature >= 0 && feature < features)))
    return c.unsupported(`a node asks for a feature that an input of ${features} does not have`)
  const table = (dtype: DType, of: (node: Asked) => number) => c.literal(dtype, [asked.length], asked.map(of))
  const tables = {
    feature: table('i32', ({ feature }) => feature),
    threshold: table(dtype, ({ threshold }) => threshold),
    yes: table('i32', ({ yes }) => yes),
    no: table('i32', ({ no }) => no),
    ...(asked.some(({ missing }) => missing) && { missing: table('bool', ({ missing }) => Number(missing)) }),
    roots: c.literal('i32', [roots.length], roots),
    values: c.literal(dtype, [asked.length, targets], values),
  }
  return c.d.decisionTrees(x, tables, { depth, ...(combine !== 'sum' && { combine }) }) as Value
}

const modeNames: Readonly<Record<string, Mode>> = {
  BRANCH_LEQ: 'LEQ',
  BRANCH_LT: 'LT',
  BRANCH_GTE: 'GTE',
  BRANCH_GT: 'GT',
  BRANCH_EQ: 'EQ',
  BRANCH_NEQ: 'NEQ',
}

function listed(c: OpContext, tensor: OnnxTensor | undefined): number[] | undefined {
  if (!tensor || tensor.unsupported !== undefined) return undefined
  const count = elementCount(tensor.shape)
  if (count > largestTable) return c.unsupported(`an attribute has ${count} elements`)
  const elements = elementsOf(tensor.dtype, tensor.read())
  return range(count).map((i) => elements.get(i))
}

/** Numbers of an attribute that may also be a tensor, `name_as_tensor`. */
const numbersOf = (c: OpContext, name: string): readonly number[] | undefined =>
  listed(c, c.tensor(`${name}_as_tensor`)) ?? c.floats(name)

/** The trees of TreeEnsembleClassifier and TreeEnsembleRegressor: nodes named by tree and number, weights apart from them. */
function namedForest(c: OpContext, kind: 'class' | 'target', targets: number): Forest {
  const need = (name: string) => c.ints(name) ?? c.unsupported(`attribute ${name} is missing`)
  const [trees, ids, features] = [need('nodes_treeids'), need('nodes_nodeids'), need('nodes_featureids')]
  const [yes, no] = [need('nodes_truenodeids'), need('nodes_falsenodeids')]
  const modes = c.node.attributes.get('nodes_modes')
  if (modes?.kind !== 'strings') return c.unsupported('attribute nodes_modes is missing')
  const values = numbersOf(c, 'nodes_values') ?? []
  const missing = c.ints('nodes_missing_value_tracks_true') ?? []
  const count = ids.length
  if ([trees, features, yes, no, modes.value].some((list) => list.length !== count))
    return c.unsupported('its lists of nodes differ in length')
  const places = new Map(ids.map((id, i) => [`${trees[i]} ${id}`, i]))
  const place = (tree: number, id: number) =>
    places.get(`${tree} ${id}`) ?? c.unsupported(`node ${id} of tree ${tree} does not exist`)
  const weights = new Map<number, { target: number; value: number }[]>()
  const [owners, nodesOf, at] = [need(`${kind}_treeids`), need(`${kind}_nodeids`), need(`${kind}_ids`)]
  const given = numbersOf(c, `${kind}_weights`) ?? []
  for (const [i, tree] of owners.entries()) {
    const leaf = place(tree, nodesOf[i]!)
    const list = weights.get(leaf) ?? []
    list.push({ target: at[i]!, value: given[i] ?? 0 })
    weights.set(leaf, list)
  }
  const nodes = ids.map((_, i): Decision | Leaf => {
    if (modes.value[i] === 'LEAF') return { kind: 'leaf', weights: weights.get(i) ?? [] }
    const name = modes.value[i]!
    const mode = Object.hasOwn(modeNames, name) ? modeNames[name]! : c.unsupported(`mode '${name}' is unknown`)
    const branch = (list: readonly number[]) => place(trees[i]!, list[i]!)
    return {
      kind: 'decision',
      mode,
      feature: features[i]!,
      value: values[i] ?? 0,
      yes: branch(yes),
      no: branch(no),
      missing: missing[i] === 1,
    }
  })
  const first = new Map<number, number>()
  // The root of a tree is the node that no other leads to; files write it first.
  for (const [i, tree] of trees.entries()) if (!first.has(tree)) first.set(tree, i)
  const combine = ({ SUM: 'sum', AVERAGE: 'mean', MIN: 'min', MAX: 'max' } as const)[c.text('aggregate_function', 'SUM')]
  if (!combine) return c.unsupported(`aggregate_function '${c.text('aggregate_function')}' is unknown`)
  const wide = c.tensor('nodes_values_as_tensor')?.dtype === 'f64' || c.typeOf(0).dtype === 'f64'
  return { nodes, roots: [...first.values()], targets, dtype: wide ? 'f64' : 'f32', combine }
}

const inputOf = (c: OpContext, { dtype }: Forest): Value => (dtype === 'f64' ? castTo(c, c.input(0), 'f64') : rowsOf(c))

function withBase(c: OpContext, scores: Value, base: readonly number[]): Value {
  if (base.length === 0 || base.every((value) => value === 0)) return scores
  return c.d.add(scores, base.length === 1 ? base[0]! : c.literal(scores.dtype, [base.length], base)) as Value
}

const regressor: OpRule = (c) => {
  const targets = c.int('n_targets', 1)
  const forest = namedForest(c, 'target', targets)
  const scores = withBase(c, evaluated(c, inputOf(c, forest), forest), numbersOf(c, 'base_values') ?? [])
  const transform = postTransformOf(c)
  // One target is given as it is, except for the one transform that works on a single number.
  return castTo(c, transformed(c, scores, targets === 1 && transform !== 'PROBIT' ? 'NONE' : transform), 'f32')
}

/** Two classes of which one alone has weights: its score decides, and the score of the other follows from it. */
function twoClasses(c: OpContext, score: Value, positive: boolean, transform: PostTransform): readonly [Value, Value] {
  const rows = dimsOf(score)[0]!
  const { d } = c
  const isSecond = d.greater(d.reshape(score, [rows]) as Value, positive ? 0.5 : 0) as Value
  const label = d.cast(isSecond, 'i64') as Value
  const pair =
    transform === 'PROBIT'
      ? c.unsupported('PROBIT with one score for two classes is not supported')
      : positive
        ? [d.sub(1, score), score]
        : transform === 'LOGISTIC'
          ? [d.sigmoid(d.negate(score) as Value), d.sigmoid(score)]
          : [d.negate(score), score]
  return [label, d.concat(pair as Value[], { axis: 1 }) as Value]
}

const classifier: OpRule = (c) => {
  const labels = classLabels(c, 'classlabels_int64s')
  const targets = labels.length
  const forest = namedForest(c, 'class', targets)
  const transform = postTransformOf(c)
  const base = numbersOf(c, 'base_values') ?? []
  const scores = evaluated(c, inputOf(c, forest), forest)
  const used = new Set(c.ints('class_ids') ?? [])
  const weights = numbersOf(c, 'class_weights') ?? []
  if (targets === 2 && used.size === 1) {
    if (base.length > 1) return c.unsupported('two base values for the weights of one class are not supported')
    const positive = weights.every((value) => value >= 0)
    if (used.has(1)) {
      // The score of the first class is then only what it begins with.
      const isSecond = c.d.greater(
        c.d.gather(scores, c.literal('i64', [], [1]), { axis: 1 }) as Value,
        positive ? 0.5 : 0,
      ) as Value
      const both = base.length === 1 ? withBase(c, scores, [base[0]!, 0]) : scores
      return [labelled(c, c.d.cast(isSecond, 'i64') as Value, labels), castTo(c, transformed(c, both, transform), 'f32')]
    }
    const [place, pair] = twoClasses(c, withBase(c, c.d.slice(scores, { axis: 1, stop: 1 }) as Value, base), positive, transform)
    return [labelled(c, place, labels), castTo(c, pair, 'f32')]
  }
  const sums = withBase(c, scores, base.length === targets ? base : [])
  const places =
    targets === 2
      ? (c.d.cast(c.d.greater(c.d.gather(sums, c.literal('i64', [], [1]), { axis: 1 }) as Value, 0) as Value, 'i64') as Value)
      : (c.d.argMax(sums, { axis: -1 }) as Value)
  return [labelled(c, places, labels), castTo(c, transformed(c, sums, transform), 'f32')]
}

const aggregates = ['mean', 'sum', 'min', 'max'] as const
const modes: readonly Mode[] = ['LEQ', 'LT', 'GTE', 'GT', 'EQ', 'NEQ', 'MEMBER']

/** Nodes and leaves in lists of their own (TreeEnsemble 5). */
const treeEnsemble: OpRule = (c) => {
  const need = (name: string) => c.ints(name) ?? c.unsupported(`attribute ${name} is missing`)
  const [features, yes, no] = [need('nodes_featureids'), need('nodes_truenodeids'), need('nodes_falsenodeids')]
  const [yesLeaf, noLeaf, targetIds] = [need('nodes_trueleafs'), need('nodes_falseleafs'), need('leaf_targetids')]
  const splits = c.tensor('nodes_splits') ?? c.unsupported('attribute nodes_splits is missing')
  const values = listed(c, splits) ?? []
  const kinds = listed(c, c.tensor('nodes_modes')) ?? c.unsupported('attribute nodes_modes is missing')
  const weights = listed(c, c.tensor('leaf_weights')) ?? c.unsupported('attribute leaf_weights is missing')
  const missing = c.ints('nodes_missing_value_tracks_true') ?? []
  const count = features.length
  if ([yes, no, yesLeaf, noLeaf, kinds].some((list) => list.length !== count))
    return c.unsupported('its lists of nodes differ in length')
  // NaN stands between the sets of two nodes.
  const sets: number[][] = [[]]
  for (const value of listed(c, c.tensor('membership_values')) ?? []) {
    if (Number.isNaN(value)) sets.push([])
    else sets.at(-1)!.push(value)
  }
  let set = 0
  const branch = (list: readonly number[], leaves: readonly number[], i: number) => list[i]! + (leaves[i] !== 0 ? count : 0)
  const nodes: (Decision | Leaf)[] = range(count).map((i): Decision => {
    const mode = modes[kinds[i]!] ?? c.unsupported(`mode ${kinds[i]} is unknown`)
    return {
      kind: 'decision',
      mode,
      feature: features[i]!,
      value: values[i] ?? 0,
      ...(mode === 'MEMBER' && { members: sets[set++] ?? [] }),
      yes: branch(yes, yesLeaf, i),
      no: branch(no, noLeaf, i),
      missing: missing[i] === 1,
    }
  })
  for (const [i, target] of targetIds.entries()) nodes.push({ kind: 'leaf', weights: [{ target, value: weights[i] ?? 0 }] })
  const combine = aggregates[c.int('aggregate_function', 1)] ?? c.unsupported('its aggregate_function is unknown')
  const dtype = splits.dtype === 'f64' ? 'f64' : 'f32'
  const forest = { nodes, roots: need('tree_roots'), targets: c.int('n_targets'), dtype, combine } as const
  const scores = evaluated(c, castTo(c, c.input(0), dtype), forest)
  const transform = postTransforms[c.int('post_transform', 0)] ?? c.unsupported('its post_transform is unknown')
  return castTo(c, transformed(c, scores, transform), splits.dtype)
}

export const trees: OpRules = {
  TreeEnsemble: treeEnsemble,
  TreeEnsembleClassifier: classifier,
  TreeEnsembleRegressor: regressor,
}
