import { mulberry } from '../../support/randomGraph.ts'
import { image, type Kit, type Network } from './record.ts'

/** Names that a file may give to its weights; none of them may become code. */
export const hostileNames = [
  "'",
  '"',
  '`',
  `\${process.exit(1)}`,
  '\\',
  "\\'",
  '*/ process.exit(1) /*',
  '</script><script>',
  '\n',
  '\r\n',
  '\u2028',
  '\u2029',
  '\0',
  '\u202e',
  '__proto__',
  'constructor',
  '@ts-nocheck',
  '// x',
  'ä.1.é',
  '💥',
  'x'.repeat(300),
]

type Op = (kit: Kit, state: State, random: () => number) => void

interface State {
  /** Images `[1, 4, 8, 8]`, newest last. */
  readonly images: any[]
  readonly name: () => string
}

const last = ({ images }: State) => images.at(-1)
const other = ({ images }: State, random: () => number) => images[Math.max(0, images.length - 1 - Math.floor(random() * 4))]
const pick = <T>(list: readonly T[], random: () => number): T => list[Math.floor(random() * list.length)]!

/** Things that a block may do to images. */
const ops: readonly Op[] = [
  ({ d }, s) => s.images.push(d.relu(last(s))),
  ({ d }, s, random) => s.images.push(d.add(last(s), other(s, random))),
  ({ d }, s, random) => s.images.push(d.mul(last(s), Math.fround(Math.floor(random() * 100) / 10))),
  ({ d }, s, random) => s.images.push(d.clamp(last(s), { minimum: 0, maximum: Math.floor(random() * 3) * 3 + 1 })),
  ({ d, weight }, s) =>
    s.images.push(d.conv2d(last(s), weight(s.name(), 4, 4, 3, 3), weight(s.name(), 4), { padding: [1, 1] } as any)),
  ({ d, weight }, s, random) => {
    const kernel = pick([1, 3, 5], random)
    const padding = (kernel - 1) / 2
    s.images.push(
      d.conv2d(last(s), weight(s.name(), 4, 4, kernel, kernel), undefined, {
        padding: { before: padding, after: padding },
      } as any),
    )
  },
  ({ d, weight }, s) =>
    s.images.push(d.conv2d(last(s), weight(s.name(), 4, 1, 3, 3), undefined, { padding: 'same', groups: 4 } as any)),
  ({ d, weight }, s) => {
    const [scale, shift, mean, variance] = [1, 2, 3, 4].map(() => weight(s.name(), 4)) as any[]
    s.images.push(d.batchNorm(last(s), scale, shift, mean, variance, { epsilon: 1e-3 }))
  },
  ({ d }, s) => {
    const [a, b] = d.split(last(s), 2, { axis: 1 } as any) as any[]
    s.images.push(d.concat([d.sigmoid(b), a], { axis: 1 } as any))
  },
  ({ d }, s) => {
    const part = d.slice(last(s), { axis: 2, start: 0, stop: 4 })
    s.images.push(d.concat([part, d.slice(last(s), { axis: 2, start: 4 })], { axis: 2 } as any))
  },
  ({ d, literal }, s, random) =>
    s.images.push(d.add(last(s), literal('f32', [1, 4, 1, 1], [random(), 0.5, -1, 1e-7].map(Math.fround)))),
  ({ d }, s) => s.images.push(d.reshape(d.transpose(d.reshape(last(s), [1, 4, 64]), [0, 2, 1]), [1, 4, 8, 8])),
  ({ d, weight }, s) =>
    s.images.push(d.reshape(d.linear(d.reshape(last(s), [1, 4, 64]), weight(s.name(), 64, 64)), [1, 4, 8, 8])),
  ({ d }, s) => s.images.push(d.softmax(last(s), { axis: pick([1, 3], () => 0.6) })),
  ({ d }, s, random) => s.images.push(d.where(d.greater(last(s), 0.5), last(s), other(s, random))),
  ({ d }, s, random) =>
    s.images.push(d.stack([last(s), other(s, random)], { axis: 1 } as any)) &&
    s.images.push(d.max(s.images.pop(), { axes: [1] })),
]

/** A network of blocks that are called again and again, with names that no exporter gives; the same for the same seed. */
export function randomNetwork(seed: number, size: number, names: readonly string[]): Network {
  return {
    inputs: { x: image(1, 4, 8, 8), other_input: image(1, 4, 8, 8) },
    make(kit, { x, other_input }) {
      const random = mulberry(seed)
      const blocks = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
        Array.from({ length: 1 + Math.floor(random() * 7) }, () => pick(ops, random)),
      )
      const state: State = { images: [x, kit.d.add(x, other_input)], name: () => '' }
      const prefixes = ['layers', 'net/block', pick(names, random)]
      for (let i = 0; i < size; i++) {
        const prefix = pick(prefixes, random)
        let weights = 0
        const own = { ...state, name: () => `${prefix}.${i}.${pick(['conv', pick(names, random)], random)}${weights++}` }
        const choices = mulberry(Math.floor(random() * 4))
        for (const op of pick(blocks, random)) op(kit, own, choices)
      }
      const outputs: Record<string, any> = { y: state.images.at(-1) }
      if (random() < 0.5) outputs.middle = state.images[Math.floor(state.images.length / 2)]
      if (random() < 0.2) outputs.x = x
      return outputs
    },
  }
}
