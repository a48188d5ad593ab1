import { regroup, resultDomain } from '../access.ts'
import type { Level } from '../level.ts'
import { productLines } from './gemm.ts'
import { type Convolution, convolutionOf, type Method } from './method.ts'
import { packPanels, panelOf, panelsBytes, storedPanels } from './product.ts'
import { type AnchoredKernel, pointersOf } from './template.ts'
import { volume } from './windowed.ts'

/** Batch and channels, all else being one element. */
const matrixOf = (kernel: AnchoredKernel) => regroup(resultDomain(kernel), [[0], kernel.domain.map((_, axis) => axis).slice(1)])

/** Images of one pixel, as those behind a mean over space: a product of batch × input channels with constant weights. */
export const isOnePixel = (kernel: AnchoredKernel, { groups, input, output, window }: Convolution): boolean =>
  kernel.inputs[1]!.constant && groups === 1 && volume(input) * volume(output) * volume(window) === 1

/**
 * Vectors run along the output channels, whose weights stand in panels: at batch 1 each weight is read once, in order, and that is all that
 * takes time. 3 to 5 times as fast as `pointwise.ts`, whose vectors run along the one pixel.
 */
export const onePixelConvolution: Method = {
  fuses: (kernel) => matrixOf(kernel) !== undefined,
  pack(kernel, index, level) {
    if (index !== 1) return undefined
    const { inputs, outputs } = convolutionOf(kernel)
    const key = `matrix panels 1x${inputs}x${outputs} transposed by ${panelOf(level)}`
    const { stored } = kernel.inputs[1]!
    const transposed = { row: 1, column: inputs }
    if (stored) return { key: `${key} as ${stored}`, ...storedPanels(stored, 1, inputs, outputs, transposed, panelOf(level)) }
    return {
      key,
      bytes: panelsBytes(1, inputs, outputs, level),
      pack: (dense) => packPanels(dense, 1, inputs, outputs, transposed, level),
    }
  },
  body(kernel: AnchoredKernel, level: Level) {
    const { batch, inputs, outputs, bias } = convolutionOf(kernel)
    const { stored } = kernel.inputs[1]!
    return productLines(
      {
        rows: batch,
        columns: outputs,
        depth: inputs,
        leftPitch: inputs,
        left: 'x0',
        right: 'x1',
        rightLayout: { kind: 'panels', width: panelOf(level), ...(stored && { stored }) },
        ...(bias ? { bias: { along: 'columns', pointer: 'x2' } as const } : {}),
        order: 'columns-outer',
        shared: 'columns',
        domain: matrixOf(kernel)!,
        position: (row, column) => [row, column],
        pointers: pointersOf(kernel),
      },
      level,
    )
  },
}
