import { type BrowserSource, createBrowserHost, type Runner } from '../browserHost.ts'
import { createModel, type Host, type OpenOptions } from '../model.ts'
import type { Plan } from '../plan.ts'
import type { InputValue, TensorValue } from '../tensor.ts'
import { instantiateStateful, type StatefulPlan } from './browserInstance.ts'
import workerText from './browserWorker.ts?source'
import { withBucketSessions } from './buckets.ts'
import type { StatefulLoaded } from './keeper.ts'
import { createLanes } from './lanes.ts'
import { checkState, type OpenStateful, type StatefulModel, withSessions } from './model.ts'
import { type SessionPort, type StatePlan, serveSessions } from './serve.ts'

/** As `statePlanOf`, over the network. */
const complete: NonNullable<Runner['complete']> = async (plan, { state }, read): Promise<StatefulPlan> => {
  const { bytes, tensors } = checkState(state)
  const parts = tensors.filter(({ initial }) => initial)
  const initial = parts.length > 0 ? new Uint8Array(bytes) : undefined
  await Promise.all(
    parts.map(async ({ offset, initial: part }) => initial!.set(await read(part!.offset, part!.bytes, part!.digest), offset)),
  )
  return { ...plan, state: { bytes, initial } }
}

const runner: Runner = {
  text: workerText,
  complete,
  instantiate: (plan) => instantiateStateful(plan as StatefulPlan),
  serve: (plan, instance, warm, port) =>
    serveSessions(plan, (plan as StatefulPlan).state, instance as never, warm, port as SessionPort),
}

function openWith(how: OpenStateful, source: BrowserSource, options: OpenOptions): StatefulModel<any, any> {
  /** Known as soon as there is an instance. */
  let state: StatePlan | undefined
  const host = createBrowserHost(source, options, {
    ...runner,
    instantiate(plan: Plan) {
      state = (plan as StatefulPlan).state
      return runner.instantiate(plan)
    },
  })
  let loaded: StatefulLoaded | undefined
  const stateful: Host = {
    manifest: host.manifest,
    load() {
      if (!loaded) {
        const plain = host.load()
        loaded = { ...plain, keepers: createLanes(plain.weights.bytes, () => state!, plain.start) }
      }
      return loaded
    },
  }
  return how(createModel(stateful, options), stateful, options)
}

/** `open` for bundles with state, which `session()` keeps from one run to the next. */
export const openSessions = <I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: BrowserSource,
  options: OpenOptions = {},
): StatefulModel<I, O> => openWith(withSessions, source, options)

/** `open` for any bundle: with state or without, with dimensions of several sizes or without. */
export const openBucketsSessions = <I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: BrowserSource,
  options: OpenOptions = {},
): StatefulModel<I, O> => openWith(withBucketSessions, source, options)
