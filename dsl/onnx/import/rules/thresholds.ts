import type { OpContext } from '../context.ts'

export type Mode = 'LEQ' | 'LT' | 'GTE' | 'GT' | 'EQ' | 'NEQ' | 'MEMBER'

/** A decision as the file says it; branches are places in the list of nodes. */
export interface Decision {
  readonly kind: 'decision'
  readonly mode: Mode
  readonly feature: number
  readonly value: number
  /** What MEMBER looks for. */
  readonly members?: readonly number[]
  readonly yes: number
  readonly no: number
  /** Whether NaN follows `yes` where a comparison with it does not hold. */
  readonly missing: boolean
}
export interface Leaf {
  readonly kind: 'leaf'
  readonly weights: readonly { readonly target: number; readonly value: number }[]
}
export interface Forest {
  readonly nodes: readonly (Decision | Leaf)[]
  readonly roots: readonly number[]
  readonly targets: number
  readonly dtype: 'f32' | 'f64'
  readonly combine: 'sum' | 'mean' | 'min' | 'max'
}

/** Elements of the table of leaves, and of an attribute. */
export const largestTable = 1 << 22
/** Decisions on the way to a leaf. */
const deepest = 512
/** Nodes that are looked at for the depth: a node may lie at several depths where decisions share what follows. */
const mostVisits = 1 << 24

/** The largest number of a type below another. */
function below(value: number, dtype: 'f32' | 'f64'): number {
  if (value === Number.NEGATIVE_INFINITY || Number.isNaN(value)) return value
  const view = new DataView(new ArrayBuffer(8))
  if (dtype === 'f32') {
    view.setFloat32(0, value)
    if (view.getFloat32(0) === 0) return -(2 ** -149)
    view.setInt32(0, view.getInt32(0) + (value > 0 ? -1 : 1))
    return view.getFloat32(0)
  }
  if (value === 0) return -Number.MIN_VALUE
  view.setFloat64(0, value)
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? -1n : 1n))
  return view.getFloat64(0)
}

/** A node that asks `≤` alone. */
export interface Asked {
  feature: number
  threshold: number
  yes: number
  no: number
  missing: boolean
}

/**
 * All decisions as `x ≤ threshold`: `<` asks for the number below, the opposite ones change their branches, and `=` is two decisions. What
 * is no number goes where the file says.
 */
export function asThresholds(
  c: OpContext,
  { nodes, dtype }: Forest,
): { readonly asked: Asked[]; readonly leafAt: readonly number[] } {
  const asked: Asked[] = nodes.map(() => ({ feature: 0, threshold: 0, yes: 0, no: 0, missing: false }))
  const leafAt = nodes.map((node, i) => (node.kind === 'leaf' ? i : -1))
  const set = (at: number, node: Asked): void => {
    asked[at] = node
  }
  const fresh = (node: Asked): number => {
    leafAt.push(-1)
    return asked.push(node) - 1
  }
  function equal(at: number, feature: number, value: number, yes: number, no: number, missing: boolean): void {
    const under = fresh({ feature, threshold: below(value, dtype), yes: no, no: yes, missing: false })
    // What is no number does not come to the second decision unless it goes the way of `yes`.
    set(at, {
      feature,
      threshold: value,
      yes: under,
      no: missing ? fresh({ feature, threshold: Infinity, yes: no, no: yes, missing: false }) : no,
      missing: false,
    })
  }
  for (const [at, node] of nodes.entries()) {
    if (node.kind === 'leaf') {
      set(at, { feature: 0, threshold: 0, yes: at, no: at, missing: false })
      continue
    }
    const { mode, feature, value, yes, no, missing } = node
    if (mode === 'LEQ') set(at, { feature, threshold: value, yes, no, missing })
    else if (mode === 'LT') set(at, { feature, threshold: below(value, dtype), yes, no, missing })
    // Turned round, NaN, which no comparison holds for, must still go the way of `no`.
    else if (mode === 'GT') set(at, { feature, threshold: value, yes: no, no: yes, missing: !missing })
    else if (mode === 'GTE') set(at, { feature, threshold: below(value, dtype), yes: no, no: yes, missing: !missing })
    else if (mode === 'EQ') equal(at, feature, value, yes, no, missing)
    // NaN is unlike every number: the comparison holds.
    else if (mode === 'NEQ') equal(at, feature, value, no, yes, false)
    else {
      const members = node.members ?? []
      if (members.length === 0) set(at, { feature, threshold: Infinity, yes: no, no: missing ? yes : no, missing: false })
      let next = at
      for (const [i, member] of members.entries()) {
        const other = i === members.length - 1 ? no : fresh({ feature, threshold: 0, yes: 0, no: 0, missing: false })
        equal(next, feature, member, yes, other, missing && i === 0)
        next = other
      }
    }
    if (asked.length > largestTable) c.unsupported('its sets of members are too large')
  }
  return { asked, leafAt }
}

/** Decisions to the farthest leaf; a way that never ends is a mistake of the file. */
export function depthOf(c: OpContext, asked: readonly Asked[], leafAt: readonly number[], roots: readonly number[]): number {
  let [depth, visits] = [0, 0]
  let level = new Set(roots)
  for (;;) {
    const next = new Set<number>()
    for (const at of level) {
      const node = asked[at] ?? c.unsupported(`node ${at} does not exist`)
      if (leafAt[at] === -1) next.add(node.yes).add(node.no)
    }
    if (next.size === 0) return depth
    depth++
    visits += next.size
    if (depth > deepest || visits > mostVisits)
      return c.unsupported(`its trees are deeper than ${deepest} decisions, or lead back to where they were`)
    level = next
  }
}
