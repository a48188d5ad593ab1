// One story, token by token; what carries the caches from one step to the next is part of a step. The tokens are those of the story that
// the peer tells greedily, so that both do the same whatever the other does.
import type { TensorArray } from '../../../targets/runtime/tensor.ts'
import { bindOurs } from '../ours.ts'
import { openPeer, type PeerTensor, type PeerTensors } from '../peer.ts'
import type { Driver } from './driver.ts'

/** Positions until the story starts anew. */
const length = 256
const beginning = 1

const best = (logits: TensorArray): number => {
  let found = 0
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[found]!) found = i
  return found
}

export const createSides: Driver = async ({ models, target, peer: name, threads, home }) => {
  const { bundle, onnx, inputs } = models[0]!
  const { shape } = inputs.find((input) => input.name === 'k_cache')!
  const { runtime, session } = await openPeer(home, name, onnx, threads)
  const { bound } = await bindOurs(bundle, target, threads, 'step')

  const integer = (value: number, dims: readonly number[]) => new runtime.Tensor('int64', BigInt64Array.of(BigInt(value)), dims)
  const empty = () => new runtime.Tensor('float32', new Float32Array(shape.reduce((a, b) => a * b)), shape)
  let caches: readonly PeerTensor[] = []
  let answer: PeerTensors = {}
  const ask = async (token: number, position: number) => {
    if (position === 0) caches = [empty(), empty()]
    const feeds = { token: integer(token, [1, 1]), pos: integer(position, [1]), k_cache: caches[0]!, v_cache: caches[1]! }
    answer = await session.run(feeds)
    caches = [answer.k_cache_out!, answer.v_cache_out!]
  }

  const tokens = [beginning]
  for (let position = 0; position < length; position++) {
    await ask(tokens[position]!, position)
    tokens.push(best(answer.logits!.data))
  }

  return {
    ours: {
      run(step) {
        const position = step % length
        if (position === 0) for (const cache of ['k_cache', 'v_cache']) bound.inputs[cache].fill(0)
        bound.inputs.token[0] = BigInt(tokens[position]!)
        bound.inputs.pos[0] = BigInt(position)
        bound.run()
        bound.inputs.k_cache.set(bound.outputs.k_cache_out)
        bound.inputs.v_cache.set(bound.outputs.v_cache_out)
      },
      outputs: () => ({ logits: bound.outputs.logits }),
    },
    peer: {
      run: (step) => ask(tokens[step % length]!, step % length),
      outputs: () => ({ logits: answer.logits!.data }),
    },
    checks: length,
  }
}
