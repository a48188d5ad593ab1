import { GlowplugError } from '../../error.ts'
import type { TensorArray } from '../../tensor.ts'
import type { Card } from '../card.ts'
import type { RecordedFlow } from '../record.ts'
import type { Begins } from '../states.ts'
import type { Resident, Work } from '../work.ts'
import { type CarriedValue, type Whereabouts, whereAfter } from './carried.ts'
import type { StatefulPart } from './regions.ts'

/** What a run finds of the session, and what becomes of that. */
export interface HeldRun extends Pick<Work, 'resident' | 'begins' | 'goesOn' | 'begun' | 'left'> {
  readonly inputs: readonly TensorArray[]
  /** All of it has run. */
  ran(outputs: readonly TensorArray[]): void
  /** Nothing of it is under way any more. Whether the session has lost what it held. */
  ended(): boolean
}

/** What a session hands on from run to run: values that are outputs and inputs, and regions of states on cards. */
export interface Holding {
  /** Nothing of it is on a card. */
  readonly isFresh: boolean
  reset(): void
  /** Throws `session-lost` where a value is nowhere. */
  begin(flow: RecordedFlow, given: readonly TensorArray[], slot: number | undefined): HeldRun
}

export interface HoldingOptions {
  readonly about: (text: string) => string
  readonly flows: readonly RecordedFlow[]
  /** What is carried as outputs and inputs, and its first values. */
  readonly values: readonly CarriedValue[]
  readonly starts: readonly TensorArray[]
  readonly regions: readonly StatefulPart[]
  /** In the order of `regions`. */
  readonly firsts: readonly Begins[]
  /** The card of the session for a part. */
  readonly cardOf: (part: number) => Card
}

export function createHolding({ about, flows, values, starts, regions, firsts, cardOf }: HoldingOptions): Holding {
  /** Where each of `values` is. */
  let where: readonly Whereabouts[] = []
  /** By index into `regions`: the card has a state that runs go on from. */
  let begun: readonly boolean[] = []
  const reset = () => {
    where = starts.map((array) => ({ at: 'host', array }))
    begun = regions.map(() => false)
  }
  reset()

  /** The current value, for the host to write to where the card does not have it. */
  function fetch(value: CarriedValue, place: Exclude<Whereabouts, { at: 'nowhere' }>, slot: number): TensorArray {
    if (place.at === 'host') return place.array
    const card = cardOf(value.part)
    if (place.at === 'output') return card.outputs(place.program, slot)[place.output]!
    const flow = flows[place.flow]!
    const [{ step, input }] = value.uses[place.flow]!.readers as [{ step: number; input: number }]
    return card.inputs(flow.steps[step]!.program.id, slot)[input]!
  }

  return {
    get isFresh() {
      return where.every(({ at }) => at === 'host') && !begun.includes(true)
    },
    reset,
    begin(flow, given, slot) {
      const inputs = [...given]
      const resident: (Resident | 'there' | undefined)[] = []
      for (const [v, value] of values.entries()) {
        const { input } = value.uses[flow.index]!
        const place = where[v]!
        if (input < 0) continue
        if (place.at === 'nowhere')
          throw new GlowplugError(
            'session-lost',
            about(`has no '${value.name}' for this session, since the run that made it anew failed: call reset()`),
          )
        if (place.at === 'output') resident[input] = { program: place.program, output: place.output }
        else if (place.at === 'inputs' && place.flow === flow.index) resident[input] = 'there'
        // Written from a copy: the place may be one that the run itself overwrites.
        else inputs[input] = place.at === 'host' ? place.array : fetch(value, place, slot!).slice()
      }
      /** Steps that were given to cards, and not those that left states alone. */
      const steps = new Set<number>()
      const regionOf = (step: number) => regions.findIndex((region) => region.steps[flow.index] === step)
      const isRenewed = (r: number) => regions[r]!.renews[flow.index] === true && steps.has(regions[r]!.steps[flow.index]!)
      let hasRun = false
      const finish = (succeeded: boolean) => {
        where = where.map((before, v) => {
          const { part, uses } = values[v]!
          const use = uses[flow.index]!
          return part < 0
            ? before
            : whereAfter(before, flow, use, { succeeded, made: use.maker !== undefined && steps.has(use.maker.step) })
        })
      }
      return {
        inputs,
        resident,
        begins(step) {
          const r = regionOf(step)
          return r < 0 || begun[r] ? undefined : firsts[r]
        },
        begun: (step) => steps.add(step),
        left(step) {
          if (regionOf(step) >= 0) steps.delete(step)
        },
        goesOn: () => regions.some((_, r) => isRenewed(r)),
        ran(outputs) {
          hasRun = true
          finish(true)
          where = where.map((before, v) => {
            const { part, uses } = values[v]!
            const { output } = uses[flow.index]!
            return part < 0 && output >= 0 ? { at: 'host', array: outputs[output]!.slice() } : before
          })
          begun = begun.map((before, r) => before || regions[r]!.steps[flow.index]! >= 0)
        },
        ended() {
          if (hasRun) return false
          finish(false)
          // What a region held that had not begun is what it begins with.
          return regions.some((_, r) => begun[r] && isRenewed(r))
        },
      }
    },
  }
}
