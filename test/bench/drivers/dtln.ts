// One frame of speech through both networks, which remember what they heard; frames are the recorded ones. The spectra between the
// networks are plain TypeScript of the program, the same for either side, and are left out.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TensorArray } from '../../../targets/runtime/tensor.ts'
import { bindOurs } from '../ours.ts'
import { openPeer, type PeerTensor } from '../peer.ts'
import type { Driver, PreparedModel, Setting } from './driver.ts'

/** Of a stage: where the frame goes in, the memory that goes in and comes out. */
const stages = [
  { frame: 'input_2', memory: 'input_3', remembered: 'tf_op_layer_stack_2', answer: 'activation_2' },
  { frame: 'input_4', memory: 'input_5', remembered: 'tf_op_layer_stack_5', answer: 'conv1d_3' },
] as const

type Names = (typeof stages)[number]

/** Frames of the recording, one after the other. */
function framesOf(
  home: string,
  stage: number,
  { inputs }: PreparedModel,
  { frame }: Names,
): readonly Float32Array<ArrayBuffer>[] {
  const path = join(home, `../../fixtures/dtln-denoise/cases/stage${stage}-stream/in.${frame}.bin`)
  const all = new Float32Array(new Uint8Array(readFileSync(path)).buffer)
  const size = inputs.find(({ name }) => name === frame)!.shape.reduce((a, b) => a * b)
  return Array.from({ length: all.length / size }, (_, i) => all.subarray(i * size, (i + 1) * size))
}

async function ourStage(
  { models, target, threads }: Setting,
  index: number,
  names: Names,
  frames: readonly Float32Array<ArrayBuffer>[],
) {
  const { bound } = await bindOurs(models[index]!.bundle, target, threads, undefined)
  const [frame, memory] = [bound.inputs[names.frame], bound.inputs[names.memory]]
  const [remembered, answer] = [bound.outputs[names.remembered], bound.outputs[names.answer]]
  return {
    run(step: number) {
      if (step % frames.length === 0) memory.fill(0)
      frame.set(frames[step % frames.length])
      bound.run()
      memory.set(remembered)
    },
    answer: (): TensorArray => answer,
  }
}

async function peerStage(setting: Setting, index: number, names: Names, frames: readonly Float32Array<ArrayBuffer>[]) {
  const { onnx, inputs } = setting.models[index]!
  const { runtime, session } = await openPeer(setting.home, setting.peer, onnx, setting.threads)
  const shapeOf = (wanted: string) => inputs.find(({ name }) => name === wanted)!.shape
  const count = shapeOf(names.memory).reduce((a, b) => a * b)
  const feeds = frames.map((data) => new runtime.Tensor('float32', data, shapeOf(names.frame)))
  let memory: PeerTensor
  let answer: TensorArray
  return {
    async run(step: number) {
      if (step % frames.length === 0) memory = new runtime.Tensor('float32', new Float32Array(count), shapeOf(names.memory))
      const results = await session.run({ [names.frame]: feeds[step % frames.length]!, [names.memory]: memory })
      memory = results[names.remembered]!
      answer = results[names.answer]!.data
    },
    answer: () => answer,
  }
}

export const createSides: Driver = async (setting) => {
  const frames = stages.map((names, i) => framesOf(setting.home, i + 1, setting.models[i]!, names))
  const ours = await Promise.all(stages.map((names, i) => ourStage(setting, i, names, frames[i]!)))
  const peer = await Promise.all(stages.map((names, i) => peerStage(setting, i, names, frames[i]!)))
  const answers = (sides: readonly { answer(): TensorArray }[]) =>
    Object.fromEntries(sides.map((side, i) => [stages[i]!.answer, side.answer()]))
  return {
    ours: {
      run(step) {
        for (const stage of ours) stage.run(step)
      },
      outputs: () => answers(ours),
    },
    peer: {
      async run(step) {
        for (const stage of peer) await stage.run(step)
      },
      outputs: () => answers(peer),
    },
    checks: 100,
  }
}
