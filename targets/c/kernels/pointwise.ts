import { loop } from '../text.ts'
import { productLines } from './gemm.ts'
import { convolutionOf, flatSpace, type Method } from './method.ts'
import { pointersOf } from './template.ts'
import { volume } from './windowed.ts'

/** Convolution with a window of one element: for each group, output channels × pixels = weight · input, all dense as they are. */
export const pointwiseConvolution: Method = {
  fuses: (kernel) => flatSpace(kernel) !== undefined,
  body(kernel, level) {
    const { batch, groups, inputs, outputs, bias, output } = convolutionOf(kernel)
    const pixels = volume(output)
    const product = productLines(
      {
        rows: outputs,
        columns: pixels,
        depth: inputs,
        leftPitch: inputs,
        left: 'weight',
        right: 'image',
        rightLayout: { kind: 'rows', pitch: pixels },
        ...(bias ? { bias: { along: 'rows', pointer: 'bias' } as const } : {}),
        order: 'blocks',
        domain: flatSpace(kernel)!,
        position: (row, column) => ['n', groups === 1 ? row : `g * ${outputs} + ${row}`, column],
        pointers: pointersOf(kernel),
      },
      level,
    )
    return loop(
      'n',
      0,
      batch,
      1,
      loop('g', 0, groups, 1, [
        `const f32 *weight = x1 + g * ${outputs * inputs}, *image = x0 + n * ${groups * inputs * pixels} + g * ${inputs * pixels};`,
        ...(bias ? [`const f32 *bias = x2 + g * ${outputs};`] : []),
        ...product,
      ]),
    )
  },
}
