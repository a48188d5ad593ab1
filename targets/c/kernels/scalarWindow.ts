import { resultDomain } from '../access.ts'
import { expressions } from '../expressions.ts'
import { computeType, fromDouble, literalText, loadText } from '../scalar.ts'
import { storeElement } from '../steps.ts'
import { block, type Lines, loop } from '../text.ts'
import type { Method } from './method.ts'
import { convolutionOf } from './method.ts'
import { parenthesised, zeroPointText } from './pairs.ts'
import { type AnchoredKernel, pointersOf } from './template.ts'
import { positionOf, volume, type Windowed, windowedOf } from './windowed.ts'

/** Loops over every result element of a window op. */
function overResults(windowed: Windowed, channels: number, body: Lines): Lines {
  const [depth, height, width] = windowed.output
  return loop(
    'n',
    0,
    windowed.batch,
    1,
    loop('c', 0, channels, 1, loop('z', 0, depth, 1, loop('y', 0, height, 1, loop('x', 0, width, 1, body)))),
  )
}

/** Loops over the elements under the window at (z, y, x) that are not padding, as `iz`, `iy`, `ix` with window indices `kz`, `ky`, `kx`. */
function overWindow(windowed: Windowed, body: Lines): Lines {
  const axes = ['z', 'y', 'x'] as const
  return axes.reduceRight<Lines>((inner, axis, i) => {
    const extent = windowed.input[i]
    return loop(`k${axis}`, 0, windowed.window[i]!, 1, [
      `const long i${axis} = ${axis} * ${windowed.stride[i]} + k${axis} * ${windowed.dilation[i]} - ${windowed.before[i]};`,
      ...block(`if (i${axis} >= 0 && i${axis} < ${extent})`, inner),
    ])
  }, body)
}

const inputIndex = ({ input }: Windowed, channel: string, channels: number) =>
  `((n * ${channels} + ${channel}) * ${input[0]} + iz) * ${input[1] * input[2]} + iy * ${input[2]} + ix`

function finish(kernel: AnchoredKernel, value: string): Lines {
  const { dtype } = kernel.anchor.type
  const position = positionOf(kernel.domain.length, 'n', 'c', ['z', 'y', 'x'])
  return [
    `const ${computeType(dtype)} element = ${value};`,
    ...storeElement(resultDomain(kernel), position, 'element', pointersOf(kernel)),
  ]
}

/** Sums over channels and window in a type, added to the bias; `term` is what an element of the input and one of the weight add. */
function convolutionLoops(
  kernel: AnchoredKernel,
  total: { readonly type: string; readonly none: string; readonly bias: string; readonly result: string },
  term: (element: string, weight: string) => string,
): Lines {
  const convolution = convolutionOf(kernel)
  const { groups, inputs, outputs, bias, window } = convolution
  const weight = `((c * ${inputs} + i) * ${window[0]} + kz) * ${window[1] * window[2]} + ky * ${window[2]} + kx`
  const image = inputIndex(convolution, `(c / ${outputs} * ${inputs} + i)`, groups * inputs)
  return overResults(convolution, groups * outputs, [
    `${total.type} total = ${bias ? total.bias : total.none};`,
    ...loop('i', 0, inputs, 1, overWindow(convolution, [`total += ${term(`x0[${image}]`, `x1[${weight}]`)};`])),
    ...finish(kernel, total.result),
  ])
}

/** Plain loops with sums in double, for element types without vector kernels. */
export const scalarConvolution: Method = {
  body(kernel) {
    const { dtype } = kernel.anchor.type
    return convolutionLoops(
      kernel,
      { type: 'f64', none: '0.0', bias: loadText(dtype, 'x2[c]'), result: fromDouble(dtype, 'total') },
      (element, weight) => `(f64)${loadText(dtype, element)} * (f64)${loadText(dtype, weight)}`,
    )
  },
}

/** Plain loops over integers less their zero points; sums wrap. */
export const scalarIntegerConvolution: Method = {
  body(kernel) {
    const { inputZeroPoint, weightZeroPoint } = kernel.anchor.attributes as { inputZeroPoint: number; weightZeroPoint: number[] }
    const zeros = zeroPointText('zeros', weightZeroPoint, 'c')
    return [
      ...(convolutionOf(kernel).inputs > 0 ? zeros.table : []),
      ...convolutionLoops(
        kernel,
        { type: 'u32', none: '0', bias: '(u32)x2[c]', result: '(i32)total' },
        (element, weight) => `(u32)(${element} - ${parenthesised(inputZeroPoint)}) * (u32)(${weight} - ${zeros.at})`,
      ),
    ]
  },
}

/** Largest element under each window, for any dtype. */
export const scalarMaxPool: Method = {
  body(kernel) {
    const windowed = windowedOf(kernel, kernel.anchor.attributes.window as readonly number[])
    const { dtype } = kernel.anchor.type
    const larger = expressions.maximum.scalar(
      [
        { text: 'best', dtype },
        { text: 'next', dtype },
      ],
      dtype,
      {},
    )
    return overResults(windowed, windowed.channels, [
      `${computeType(dtype)} best = ${literalText(dtype, Number.NEGATIVE_INFINITY)};`,
      ...overWindow(windowed, [
        `const ${computeType(dtype)} next = ${loadText(dtype, `x0[${inputIndex(windowed, 'c', windowed.channels)}]`)};`,
        `best = ${larger};`,
      ]),
      ...finish(kernel, 'best'),
    ])
  },
}

/** Mean under each window, for any float. */
export const scalarAvgPool: Method = {
  body(kernel) {
    const windowed = windowedOf(kernel, kernel.anchor.attributes.window as readonly number[])
    const { type, attributes } = kernel.anchor
    const { dtype } = type
    const counts = !attributes.countPadding
    return overResults(windowed, windowed.channels, [
      'f64 total = 0.0;',
      ...(counts ? ['long count = 0;'] : []),
      ...overWindow(windowed, [
        `total += ${loadText(dtype, `x0[${inputIndex(windowed, 'c', windowed.channels)}]`)};`,
        ...(counts ? ['count++;'] : []),
      ]),
      ...finish(kernel, fromDouble(dtype, `(total / ${counts ? 'count' : volume(windowed.window)})`)),
    ])
  },
}
