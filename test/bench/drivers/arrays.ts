// Independent requests through `runSync`, with arrays of the caller for inputs and outputs.
import { arrayOf, elementCount } from '../../../targets/runtime/tensor.ts'
import { bindOurs } from '../ours.ts'
import type { Driver } from './driver.ts'
import { drawInputs, peerSide } from './forward.ts'

export const createSides: Driver = async (setting) => {
  const prepared = setting.models[0]!
  const { called } = await bindOurs(prepared.bundle, setting.target, setting.threads, setting.workload.models[0]!.entry)
  const sets = drawInputs(setting, prepared)
  const into = Object.fromEntries(
    prepared.outputs.map(({ name, dtype, shape }) => [name, new (arrayOf(dtype))(elementCount(shape))]),
  )
  const options = { into }
  return {
    ours: {
      run(step) {
        called.runSync(sets[step % sets.length]!, options)
      },
      outputs: () => into,
    },
    peer: await peerSide(setting, prepared, sets),
    checks: Math.min(4, sets.length),
  }
}
