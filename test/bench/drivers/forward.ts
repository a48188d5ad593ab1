// Independent requests: sets of inputs take turns.
import type { TensorArray } from '../../../targets/runtime/tensor.ts'
import { bindOurs } from '../ours.ts'
import { openPeer, type Peer, type PeerTensors, peerType } from '../peer.ts'
import { randomTensor } from '../random.ts'
import type { Driver, PreparedModel, Setting, Side } from './driver.ts'

type InputSet = Readonly<Record<string, TensorArray>>

export function drawInputs({ workload }: Pick<Setting, 'workload'>, { inputs }: PreparedModel): readonly InputSet[] {
  return Array.from({ length: workload.rotation ?? 8 }, (_, set) =>
    Object.fromEntries(
      inputs.map((input, i) => [input.name, randomTensor(input, 1 + set * 100 + i, workload.ranges?.[input.name] ?? [-1, 1])]),
    ),
  )
}

/** Inputs of the peer. They come in the order of ours; a published file may call them by names that are none here. */
export const feedsOf = ({ runtime, session }: Peer, { inputs }: PreparedModel, set: InputSet) =>
  Object.fromEntries(
    inputs.map(({ name, dtype, shape }, i) => [session.inputNames[i]!, new runtime.Tensor(peerType(dtype), set[name]!, shape)]),
  ) as PeerTensors

/** Outputs of the peer by our names, likewise. */
const dataOf = ({ session }: Peer, { outputs }: PreparedModel, results: PeerTensors) =>
  Object.fromEntries(outputs.map(({ name }, i) => [name, results[session.outputNames[i]!]!.data]))

/** The peer's side: feeds are made once, which spares it a little. */
export async function peerSide({ peer, threads, home }: Setting, prepared: PreparedModel, sets: readonly InputSet[]) {
  const opened = await openPeer(home, peer, prepared.onnx, threads)
  const feeds = sets.map((set) => feedsOf(opened, prepared, set))
  let results: PeerTensors = {}
  return {
    async run(step) {
      results = await opened.session.run(feeds[step % feeds.length]!)
    },
    outputs: () => dataOf(opened, prepared, results),
  } satisfies Side
}

export const createSides: Driver = async (setting) => {
  const prepared = setting.models[0]!
  const { entry } = setting.workload.models[0]!
  const sets = drawInputs(setting, prepared)
  const { bound } = await bindOurs(prepared.bundle, setting.target, setting.threads, entry)
  const places = prepared.inputs.map(({ name }) => bound.inputs[name])
  const values = sets.map((set) => prepared.inputs.map(({ name }) => set[name]))
  return {
    ours: {
      run(step) {
        const given = values[step % values.length]!
        for (let i = 0; i < places.length; i++) places[i].set(given[i])
        bound.run()
      },
      outputs: () => bound.outputs,
    },
    peer: await peerSide(setting, prepared, sets),
    checks: Math.min(4, sets.length),
  }
}
