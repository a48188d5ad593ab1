// What bodies take from around them. Tensors are given to them one by one; sizes that data decides go with their tensors.
import type { OnnxGraph } from '../../model.ts'
import { isOpen, type OpenSize, type Size, sameSize } from '../bounded/size.ts'
import { boundsOf, openList, withBounds } from '../bounded/values.ts'
import type { Value } from '../context.ts'
import { createScope, type Entry, knownEntry, type Scope } from '../environment.ts'
import { bodiesOf, type ControlSite, stop, tensor } from './site.ts'

/** Names that a graph takes from around it, in the order of asking. */
function capturedNames(graph: OnnxGraph): string[] {
  const own = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()])
  const found = new Set<string>()
  const take = (name: string) => {
    if (name !== '' && !own.has(name)) found.add(name)
  }
  for (const node of graph.nodes) {
    for (const name of node.inputs) take(name)
    for (const body of bodiesOf(node)) for (const name of capturedNames(body)) take(name)
    for (const name of node.outputs) own.add(name)
  }
  for (const { name } of graph.outputs) take(name)
  return [...found]
}

/** Values as the tensors that a body is given for them: their own, and behind these each size that data decides once. */
export interface Parcel {
  readonly tensors: readonly Value[]
  /** The same values inside, where `tensors` are what the body was given. */
  unpack(given: readonly Value[]): Entry[]
  /** What a size around the body is inside, and the other way round; undefined for one that did not come in, or was made inside. */
  inside(size: Size, given: readonly Value[]): Size | undefined
  outside(size: Size, given: readonly Value[]): Size | undefined
}

/** `more` are sizes that go in beside those of the values. */
export function pack(
  { d, tensorOf }: Pick<ControlSite, 'd' | 'tensorOf'>,
  entries: readonly Entry[],
  more: readonly Size[] = [],
): Parcel {
  const sizesOf = (entry: Entry): readonly (Size | undefined)[] =>
    entry.kind !== 'tensor' ? [] : entry.list ? entry.list.sizes : (boundsOf(entry.tensor) ?? [])
  const sizes: OpenSize[] = []
  for (const size of [...entries.flatMap(sizesOf), ...more])
    if (isOpen(size) && !sizes.some((other) => sameSize(other, size))) sizes.push(size)
  const plain = entries.filter((entry) => entry.kind !== 'tensor' || !entry.list)
  const inside: Parcel['inside'] = (size, given) => {
    if (!isOpen(size)) return size
    const place = sizes.findIndex((other) => sameSize(other, size))
    return place < 0 ? undefined : { ...size, value: given[plain.length + place]! }
  }
  return {
    tensors: [...plain.map(tensorOf), ...sizes.map(({ value }) => value)],
    inside,
    outside(size, given) {
      if (!isOpen(size)) return size
      const place = sizes.findIndex((_, i) => sameSize({ ...size, value: given[plain.length + i]! }, size))
      return place < 0 ? undefined : { ...size, value: sizes[place]!.value }
    },
    unpack: (given) =>
      entries.map((entry): Entry => {
        if (entry.kind === 'tensor' && entry.list) {
          const { sizes: own, type } = entry.list
          const list = openList(
            { d },
            own.map((size) => inside(size, given)!),
            type,
          )
          return {
            kind: 'tensor',
            list,
            get tensor() {
              return list.tensor
            },
          }
        }
        const bounds = sizesOf(entry).map((size) => (size === undefined ? undefined : (inside(size, given) as OpenSize)))
        return tensor(withBounds({ d }, given[plain.indexOf(entry)]!, bounds))
      }),
  }
}

/** What bodies take from around them: tensors, which they are given, and what is known, which they have by themselves. */
export function surroundings({ scope }: Pick<ControlSite, 'scope'>, bodies: readonly OnnxGraph[]) {
  const names = [...new Set(bodies.flatMap(capturedNames))]
  const entries = names.flatMap((name) => {
    const entry = scope.get(name)
    return entry ? [[name, entry] as const] : []
  })
  const other = entries.find(([, { kind }]) => kind !== 'tensor' && kind !== 'known')
  if (other) stop(`its body takes '${other[0]}', which is no tensor`)
  const given = entries.flatMap(([name, entry]) => (entry.kind === 'tensor' ? [{ name, entry }] : []))
  return {
    given: given.map(({ entry }) => entry as Entry),
    /** The scope of a body in which what it is given are these values. */
    scopeWith(values: readonly Entry[]): Scope {
      const inner = createScope()
      for (const [name, entry] of entries) if (entry.kind === 'known') inner.set(name, knownEntry(entry.name, entry.known))
      for (const [i, { name }] of given.entries()) inner.set(name, values[i]!)
      return inner
    },
  }
}
