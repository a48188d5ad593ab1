import { createHost, type Drivers } from '../load.ts'
import type { Source } from '../locate.ts'
import { createModel, type Host, type OpenOptions } from '../model.ts'
import type { Plan } from '../plan.ts'
import { engine } from '../source.ts'
import type { InputValue, TensorValue } from '../tensor.ts'
import { withBucketSessions } from './buckets.ts'
import { type OpenStateful, type StatefulModel, statePlanOf, withSessions } from './model.ts'
import { nativeSessions } from './native.ts'
import type { StatePlan } from './serve.ts'
import { threadSessions } from './threads.ts'

type MakeDrivers = (stateOf: (plan: Plan) => StatePlan) => Drivers

const portable: MakeDrivers = (stateOf) => {
  const driver = threadSessions(stateOf)
  return { wasm: driver, module: driver }
}
const all: MakeDrivers = (stateOf) => ({ ...portable(stateOf), addon: nativeSessions(stateOf) })

function openWith(makeDrivers: MakeDrivers, how: OpenStateful, source: Source, options: OpenOptions): StatefulModel<any, any> {
  const stateOf = (plan: Plan) => statePlanOf(host.manifest(), plan, options.verify, engine().readInto)
  const host: Host = createHost(source, options, makeDrivers(stateOf))
  return how(createModel(host, options), host, options)
}

/** `open` for bundles with state, which `session()` keeps from one run to the next. */
export const openSessions = <I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: Source,
  options: OpenOptions = {},
): StatefulModel<I, O> => openWith(all, withSessions, source, options)

/** The same without what runs native code. */
export const openPortableSessions = <I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: Source,
  options: OpenOptions = {},
): StatefulModel<I, O> => openWith(portable, withSessions, source, options)

/** `open` for any bundle: with state or without, with dimensions of several sizes or without. */
export const openBucketsSessions = <I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: Source,
  options: OpenOptions = {},
): StatefulModel<I, O> => openWith(all, withBucketSessions, source, options)

/** The same without what runs native code. */
export const openPortableBucketsSessions = <I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: Source,
  options: OpenOptions = {},
): StatefulModel<I, O> => openWith(portable, withBucketSessions, source, options)
