import { type DType, sameShape } from '../../../../compiler/graph/index.ts'
import { fitted } from '../bounded/fit.ts'
import { chosen } from '../bounded/index.ts'
import { extentsOf, openOf } from '../bounded/movement.ts'
import { arithmeticOn, highOf, isOpen, type Size, sameSize } from '../bounded/size.ts'
import { boundsOf, withBounds } from '../bounded/values.ts'
import type { Value } from '../context.ts'
import { dimsOf, range } from '../rules/shared.ts'
import { asScalar, type ControlSite, countNodes, graphAttribute, present, type Results, stop, tensor } from './site.ts'
import { pack, surroundings } from './surroundings.ts'

/** Nodes of a side from which on it is worth not to compute it where the condition is for the other. */
const heavyNodes = 8

/** ONNX If 1 to 25: one side where the condition is known; else one of both as it says, or what it picks of both where they are short. */
export function importIf(site: ControlSite): Results | undefined {
  const { node, entries } = site
  const condition = present(entries[0], 'its condition')
  const sides = [graphAttribute(node, 'then_branch'), graphAttribute(node, 'else_branch')] as const
  const beside = (side: number) => {
    const results = site.beside(sides[side]!, [])
    return node.outputs.map((_, i) => results[i])
  }
  const known = site.knownOf(condition)
  if (known) return beside(known.bytes.some((byte) => byte !== 0) ? 0 : 1)
  const both = [beside(0), beside(1)].map((results) =>
    results.some((entry) => !entry || entry.kind === 'poisoned') ? undefined : results.map((entry) => site.tensorOf(entry!)),
  )
  const [yes, no] = both
  if (!yes || !no) return undefined
  for (const [i, a] of yes.entries()) {
    const b = no[i]!
    if (a.dtype !== b.dtype || a.shape.length !== b.shape.length)
      stop(
        `its condition depends on data and output ${i} is ${typeText(a)} in one branch and ${typeText(b)} in the other`,
        'export the model with the condition fixed',
      )
  }
  const flag = asScalar(site.d, site.tensorOf(condition), 'bool')
  return Math.max(...sides.map(countNodes)) < heavyNodes ? picked(site, flag, yes, no) : oneOf(site, flag, yes, no)
}

/** Both sides are computed. */
function picked({ d, note }: ControlSite, condition: Value, yes: readonly Value[], no: readonly Value[]): Results {
  note('an If whose condition depends on data computes both branches')
  return yes.map((a, i) => {
    const b = no[i]!
    const isPlain = !boundsOf(a) && !boundsOf(b) && sameShape(dimsOf(a), dimsOf(b))
    return tensor(isPlain ? (d.where(condition, a, b) as Value) : chosen({ d, unsupported: stop }, condition, a, b))
  })
}

/** One side is computed. Where sides differ in a size, each says its own beside its results, which have room for the larger. */
function oneOf(site: ControlSite, condition: Value, yes: readonly Value[], no: readonly Value[]): Results {
  const { node, d } = site
  const sides = [graphAttribute(node, 'then_branch'), graphAttribute(node, 'else_branch')]
  const { given, scopeWith } = surroundings(site, sides)
  const parcel = pack(site, given)
  const extents = yes.map((a, i) =>
    extentsOf(a).map((size, axis) => {
      const other = extentsOf(no[i]!)[axis]!
      return { size, high: Math.max(highOf(size), highOf(other)), isShared: sameSize(size, other) && isOutside(size) }
    }),
  )
  /** A size that a body computed again is another value than the one beside it. */
  function isOutside(size: Size): boolean {
    return !isOpen(size) || parcel.inside(size, parcel.tensors) !== undefined
  }
  const own = extents.flatMap((axes, i) => axes.flatMap(({ isShared }, axis) => (isShared ? [] : [{ i, axis }])))
  const { scalar } = arithmeticOn(d)
  const side = (graph: (typeof sides)[number]) => (values: readonly Value[]) => {
    const results = site.inside(graph, [], scopeWith(parcel.unpack(values))).slice(0, yes.length)
    return [
      ...results.map((value, i) =>
        fitted(
          site,
          value,
          extents[i]!.map(({ high }) => high),
        ),
      ),
      ...own.map(({ i, axis }) => scalar(extentsOf(results[i]!)[axis]!)),
    ]
  }
  const made = d.branch(
    condition as never,
    side(sides[0]!) as never,
    side(sides[1]!) as never,
    {
      given: parcel.tensors,
    } as never,
  ) as unknown as readonly Value[]
  return range(yes.length).map((i) => {
    const sizes = extents[i]!.map(({ size, high, isShared }, axis): Size => {
      if (isShared) return size
      const place = own.findIndex((each) => each.i === i && each.axis === axis)
      return { value: made[yes.length + place]!, low: 0, high }
    })
    return tensor(withBounds(site, made[i]!, openOf(sizes)))
  })
}

const typeText = ({ dtype, shape }: { readonly dtype: DType; readonly shape: readonly number[] }): string =>
  `${dtype}[${shape.join(', ')}]`
