// Graphs of networks that see and hear: functions of the vocabulary that are made of several ops.
import type { Node } from '../../compiler/graph/index.ts'
import * as d from '../../dsl/index.ts'
import type { Recipe, Sketch } from './sketch.ts'

const floatOf = (s: Sketch) => s.pick(['f32', 'f32', 'f32', 'f64', 'f16'] as const)

/** Spectra of a signal, as features: magnitudes, mel bins, cepstra, and back again. */
export const signals: Recipe = (s) => {
  const dtype = floatOf(s)
  const length = s.pick([4, 6, 8, 9, 12, 130, 132, 144])
  const step = s.pick([2, 3, length, length / 2].filter(Number.isInteger))
  const samples = length + step * s.below(4) + s.below(2)
  const x = s.input([1 + s.below(2), samples, 1], dtype)
  const window = s.chance(2) ? s.weight([length], dtype) : undefined
  const onesided = !s.chance(4)
  const spectra = s.written(window ? [x, window] : [x], (x, window) =>
    d.stft(x!, { step, length, ...(window && { window }), onesided }),
  )
  const results: Node[] = []
  if (s.chance(2)) results.push(spectra)
  const power = s.op('reduceSumSquare', { input: spectra }, { axes: [3], keepDims: false })
  const entries = power.type.shape[2]!
  if (s.chance(2)) {
    results.push(s.op('matmul', { left: power, right: s.weight([entries, 1 + s.below(5)], dtype) }))
  } else results.push(power)
  if (entries === Math.floor(length / 2) + 1 && length > 2 && s.chance(2))
    results.push(s.written([spectra], (x) => d.dft(x!, { inverse: true, onesided: true, length })))
  return results
}

/** Images warped, looked at in regions, cut into blocks and put together again. */
export const warps: Recipe = (s) => {
  const dtype = floatOf(s)
  const [batch, channels, height, width] = [1 + s.below(2), 2 * (1 + s.below(2)), 3 + s.below(4), 3 + s.below(4)]
  const x = s.input([batch, channels, height, width], dtype)
  const start = s.chance(2) ? s.spice(x) : x
  switch (s.below(6)) {
    case 0: {
      const theta = s.weight([batch, 2, 3], dtype, (r) => r * 1.6 - 0.8)
      const mode = s.pick(['linear', 'linear', 'cubic'] as const)
      return s.written([start, theta], (x, theta) =>
        d.gridSample(x!, d.affineGrid(theta!, [2 + s.below(4), 3]), { mode, padding: s.pick(['zeros', 'border', 'reflection']) }),
      )
    }
    case 1: {
      const [groups, parts] = [s.pick([1, 2]), s.pick([1, 2])]
      const [rows, columns] = [height - 1, width - 1]
      const weight = s.weight([2 * groups, channels / groups, 2, 2], dtype)
      const offset = s.input([batch, 8 * parts, rows, columns], dtype)
      const mask = s.weight([batch, 4 * parts, rows, columns], dtype)
      return s.spice(
        s.written([start, weight, offset, mask], (x, weight, offset, mask) =>
          d.deformConv2d(x!, weight!, offset!, undefined, { groups, offsetGroups: parts, mask: mask! }),
        ),
      )
    }
    case 2: {
      const count = 1 + s.below(4)
      const regions = s.weight([count, 4], dtype, (r) => Math.floor(r * 40) / 8)
      const images = s.weight([count], 'i32', (r) => Math.floor(r * batch))
      return s.spice(
        s.written([start, regions, images], (x, regions, images) =>
          s.chance(4)
            ? d.maxRoiPool(x!, regions!, images!, 2)
            : d.roiAlign(x!, regions!, images!, [2, 1 + s.below(3)], { samples: s.below(3) }),
        ),
      )
    }
    case 3: {
      const blocks = (height - 1) * (width - 1)
      const columns = s.input([batch, 4 * channels, blocks], dtype)
      const image = s.written([columns], (columns) => d.fold(columns!, [height, width], [2, 2]))
      return s.chance(2) ? s.add(image, start) : image
    }
    case 4: {
      const shuffled = s.written([start], (x) => d.channelShuffle(x!, 2))
      return s.chance(2) ? s.add(shuffled, start) : shuffled
    }
    default: {
      const size = 2 + s.below(3)
      const matrices = s.input([1 + s.below(3), size, size], dtype)
      return s.written([matrices], (x) => d.determinant(x!))
    }
  }
}
