import { builtin, type Instance, type Plan, type TensorInfo } from '../plan.ts'
import { createMemory, createStatefulInstance, type StatefulInstance } from '../sessions/instance.ts'
import type { StatePlan } from '../sessions/serve.ts'
import { engine } from '../source.ts'
import type { RegionBytes } from './process/regions.ts'
import { type Begins, noMemory, portableStates } from './states.ts'

/** Not among the values in the types of Node 20. */
declare const WebAssembly: any

type Placed = Readonly<Record<'inputs' | 'outputs', readonly Pick<TensorInfo, 'offset' | 'bytes'>[]>>

/** A program in the memory of its code. */
export interface PortableRunner {
  /** Copies inputs there, runs, copies outputs back. Returns 0, the number of a fault, or `noMemory`. */
  run(region: RegionBytes, place: number, begins: Begins | undefined): number
  /** Code is compiled at its first call. What zeros as inputs may bring about is no matter here. */
  warm(): void
}

/** WebAssembly or JavaScript on memory of its own, in which states stay. Throws what `explain` words. */
export function loadPortableCode(plan: Plan, state: StatePlan | undefined, verify: boolean) {
  const stateful = state && instantiateOver(plan, state.bytes, verify)
  const instance: Instance = stateful ?? engine().instantiate(plan, verify)
  const states = stateful && portableStates(stateful, state)
  return {
    runner(entry: number, placed: Placed, hasState: boolean): PortableRunner {
      const views = createViews(instance, placed)
      const own = hasState ? states! : undefined
      const run = (held: number | undefined) => (stateful ? stateful.run(entry, held) : instance.run(entry))
      return {
        run(region, place, begins) {
          let held: number | undefined
          try {
            held = own?.at(place, begins)
          } catch (error) {
            if (error instanceof RangeError) return noMemory
            throw error
          }
          const { inputs, outputs } = views()
          for (let i = 0; i < inputs.length; i++) inputs[i]!.set(region.inputs[i]!)
          const fault = run(held)
          for (let i = 0; i < outputs.length; i++) region.outputs[i]!.set(outputs[i]!)
          return fault
        },
        warm() {
          try {
            run(own?.scratch())
          } catch {}
        },
      }
    },
  }
}

/** An instance with room for states behind its activations. */
function instantiateOver(plan: Plan, stateBytes: number, verify: boolean): StatefulInstance {
  const { code, place, bytes, weights } = plan
  const exported =
    typeof code === 'string' ? builtin('vm').runInThisContext(code)(createMemory()) : new WebAssembly.Instance(code).exports
  return createStatefulInstance(plan, stateBytes, exported, (constants) =>
    engine().readInto(constants, place, bytes, weights.offset, verify && weights.digest),
  )
}

/** Views of inputs and outputs, made anew when the memory is another, since it has grown. */
function createViews(instance: Instance, { inputs, outputs }: Placed): () => RegionBytes {
  let memory: ArrayBuffer | undefined
  let views: RegionBytes
  return () => {
    if (memory === instance.memory) return views
    memory = instance.memory
    const see = ({ offset, bytes }: Placed['inputs'][number]) => new Uint8Array(instance.memory, instance.mutable + offset, bytes)
    views = { inputs: inputs.map(see), outputs: outputs.map(see) }
    return views
  }
}
