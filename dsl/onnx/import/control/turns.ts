// A loop of the model over values of the import: with each value go its sizes that data decides, those that turns change among what is carried.
import type { OnnxGraph } from '../../model.ts'
import { fitted } from '../bounded/fit.ts'
import { extentsOf, openOf } from '../bounded/movement.ts'
import { arithmeticOn, highOf, isOpen, type OpenSize, type Size, sameSize } from '../bounded/size.ts'
import { atMost, withBounds } from '../bounded/values.ts'
import type { Value } from '../context.ts'
import type { Entry, Scope } from '../environment.ts'
import { dimsOf } from '../rules/shared.ts'
import { type ControlSite, refuseBounded, stop, tensor } from './site.ts'
import { pack, surroundings } from './surroundings.ts'

export interface Turns {
  readonly body: OnnxGraph
  readonly count?: number | Value | undefined
  readonly condition?: Value | undefined
  readonly limit?: number | undefined
  readonly carried: readonly Entry[]
  /** Values that a turn gets as they are. */
  readonly given: readonly Entry[]
  /** How long an axis of carried value i may become. */
  room(i: number, axis: number): number | undefined
  /** The name that --limit knows carried value i by. */
  nameOf(i: number): string
  turn(
    number: Value,
    carried: readonly Entry[],
    given: readonly Entry[],
    scope: Scope,
  ): { readonly carried: readonly Value[]; readonly proceed?: Value; readonly kept: readonly Value[] }
}

export interface TurnResults {
  readonly carried: readonly Value[]
  readonly kept: readonly Value[]
  readonly turns: Value
}

/** An axis of a carried value whose size turns change. */
interface Changing {
  readonly value: number
  readonly axis: number
  readonly room: number
}

/** Thrown out of a body that is traced in vain: some sizes turned out to change. */
class Retrace extends Error {
  readonly found: readonly Changing[]
  constructor(found: readonly Changing[]) {
    super('a size changes from turn to turn')
    this.found = found
  }
}

/** Sizes are taken to stay until a body is seen to change them; then it is traced again, with these carried. */
export function importTurns(site: ControlSite, turns: Turns): TurnResults {
  let changing: readonly Changing[] = []
  for (;;) {
    try {
      return traceTurns(site, turns, changing)
    } catch (problem) {
      if (!(problem instanceof Retrace)) throw problem
      changing = [...changing, ...problem.found]
    }
  }
}

function traceTurns(site: ControlSite, turns: Turns, changing: readonly Changing[]): TurnResults {
  const { d } = site
  const { scalar } = arithmeticOn(d)
  const { given: captured, scopeWith } = surroundings(site, [turns.body])
  const initial = turns.carried.map(site.tensorOf)
  const extents = initial.map(extentsOf)
  const changes = (i: number, axis: number) => changing.findIndex((each) => each.value === i && each.axis === axis)
  const kept = extents.flatMap((sizes, i) => sizes.filter((_, axis) => changes(i, axis) < 0))
  const parcel = pack(site, [...turns.given, ...captured], kept)
  const places = initial.map((value, i) => dimsOf(value).map((high, axis) => changing[changes(i, axis)]?.room ?? high))
  const count = initial.length
  /** Carried values with their sizes, where `tensors` are values and then sizes that change. */
  const sized = (tensors: readonly Value[], fixed: (size: Size) => Size): Value[] =>
    extents.map((sizes, i) => {
      const bounds = sizes.map((size, axis): Size => {
        const at = changes(i, axis)
        return at < 0 ? fixed(size) : { value: tensors[count + at]!, low: 0, high: changing[at]!.room }
      })
      return withBounds({ d }, tensors[i]!, openOf(bounds))
    })
  let bounds: (readonly Size[])[] = []
  const made = d.loop(
    {
      ...(turns.count !== undefined && { count: turns.count }),
      ...(turns.condition && { condition: turns.condition }),
      carried: [
        ...initial.map((value, i) => fitted({ d }, value, places[i]!)),
        ...changing.map(({ value, axis }) => scalar(extents[value]![axis]!)),
      ],
      given: parcel.tensors,
      ...(turns.limit !== undefined && { limit: turns.limit }),
    } as never,
    ((turn: Value, tensors: readonly Value[], others: readonly Value[]) => {
      const inner = sized(tensors, (size) => parcel.inside(size, others)!)
      const entries = parcel.unpack(others)
      const { length } = turns.given
      const next = turns.turn(turn, inner.map(tensor), entries.slice(0, length), scopeWith(entries.slice(length)))
      const found = inner.flatMap((value, i) => changesOf(turns, i, value, next.carried[i]!, (axis) => changes(i, axis) >= 0))
      if (found.length > 0) throw new Retrace(found)
      bounds = next.kept.map((value) =>
        extentsOf(value).map((size) => parcel.outside(size, others) ?? refuseBounded('each turn keeps')),
      )
      return {
        carried: [
          ...next.carried.map((value, i) => fitted({ d }, value, places[i]!)),
          ...changing.map(({ value, axis, room }) => {
            const size = extentsOf(next.carried[value]!)[axis]!
            return highOf(size) > room ? (atMost({ d }, scalar(size), room) as OpenSize).value : scalar(size)
          }),
        ],
        ...(next.proceed && { proceed: next.proceed }),
        kept: next.kept,
      }
    }) as never,
  ) as unknown as TurnResults
  return {
    carried: sized(made.carried, (size) => size),
    kept: made.kept.map((value, i) => withBounds({ d }, value, openOf([dimsOf(value)[0]!, ...bounds[i]!]))),
    turns: made.turns,
  }
}

const typeText = (value: Value) => `${value.dtype}[${extentsOf(value).map((size) => (isOpen(size) ? `0…${size.high}` : size))}]`

/** Axes whose sizes a turn changes and of which this was not known. */
function changesOf(turns: Turns, i: number, before: Value, behind: Value, isKnown: (axis: number) => boolean): Changing[] {
  const [from, to] = [extentsOf(before), extentsOf(behind)]
  const differ = `value ${i} that it carries is ${typeText(before)} before a turn and ${typeText(behind)} behind it`
  if (before.dtype !== behind.dtype || from.length !== to.length) stop(differ)
  return from.flatMap((size, axis): Changing[] => {
    if (sameSize(size, to[axis]!)) return []
    const asked = turns.room(i, axis)
    if (asked === undefined && (!isOpen(size) || highOf(to[axis]!) > highOf(size)))
      return stop(
        `${differ}, and how many turns there are depends on data`,
        `--limit ${turns.nameOf(i)}=64 says how long it may become; else export the model with a fixed number of turns`,
      )
    return isKnown(axis) ? [] : [{ value: i, axis, room: asked ?? highOf(size) }]
  })
}
