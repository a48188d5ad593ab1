import type { AttributesOf } from '../../../compiler/graph/ops/index.ts'
import { computeType, floatText, fromDouble, loadText } from '../scalar.ts'
import { storeElement } from '../steps.ts'
import { sharedNest } from '../team.ts'
import { type Lines, loop } from '../text.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'

interface Geometry {
  readonly batch: number
  readonly channels: number
  readonly extents: readonly [number, number]
  readonly regions: number
  readonly cells: readonly [number, number]
  /** Samples of a cell along each axis at most. */
  readonly most: readonly [number, number]
}

function geometryOf({ anchor }: AnchoredKernel): Geometry {
  const [batch, channels, height, width] = anchor.operands[0]!.shape as [number, number, number, number]
  const [regions, , rows, columns] = anchor.type.shape as [number, number, number, number]
  const { samples } = anchor.attributes as AttributesOf<'regionPool'>
  const most = (extent: number) => (samples > 0 ? samples : 2 * extent + 8)
  return { batch, channels, extents: [height, width], regions, cells: [rows, columns], most: [most(height), most(width)] }
}

const sizes = (kernel: AnchoredKernel): { readonly places: number; readonly cells: number } => {
  const { cells, most } = geometryOf(kernel)
  return { places: cells[0] * most[0] + cells[1] * most[1], cells: cells[0] + cells[1] }
}

/** Cells of grids over regions. Where its samples lie is found once for each region, then every channel is read there, in double. */
export const regionPool: Template = {
  kind: 'template',
  follows: () => true,
  ownScratch: (kernel) => (kernel.domain.includes(0) ? 0 : sizes(kernel).places * 12 + sizes(kernel).cells * 8),
  body(kernel, level) {
    const { dtype } = kernel.anchor.type
    const { mode, samples, aligned, scale } = kernel.anchor.attributes as AttributesOf<'regionPool'>
    const { batch, channels, extents, regions, cells, most } = geometryOf(kernel)
    const [height, width] = extents
    const [rows, columns] = cells
    const { places } = sizes(kernel)
    const wide = dtype === 'f64'
    // Corners are rounded as in f32, step by step, so that every machine takes as many samples.
    const rounded = (text: string) => (wide ? `(${text})` : `(f64)(f32)(${text})`)
    const factor = floatText(wide ? scale : Math.fround(scale), true)
    const edge = (i: number) => {
      const scaled = rounded(`(f64)${loadText(dtype, `x1[r * 4 + ${i}]`)} * ${factor}`)
      return aligned && mode !== 'cells' ? rounded(`${scaled} - 0.5`) : scaled
    }
    const check = loop('i', 0, regions, 1, ['const i64 image = (i64)x2[i];', `if (image < 0 || image >= ${batch}) return 1;`])
    const plane = `const ${storageOf(kernel)} *plane = x0 + ((i64)x2[r] * ${channels} + c) * ${height * width};`
    const store = (value: string): Lines => [
      `const ${computeType(dtype)} element = ${fromDouble(dtype, value)};`,
      ...storeElement({ extents: kernel.domain, steps: kernel.steps }, ['r', 'c', 'i', 'j'], 'element', pointersOf(kernel)),
    ]
    const pixel = (text: string) => `(f64)${loadText(dtype, `plane[${text}]`)}`
    const over = (body: Lines): Lines =>
      loop('c', 0, channels, 1, [plane, ...loop('i', 0, rows, 1, loop('j', 0, columns, 1, body))])
    const larger = (value: string) => `if (${value} > best || ${value} != ${value}) best = ${value};`
    const edges = [`const f64 left = ${edge(0)}, top = ${edge(1)}, right = ${edge(2)}, bottom = ${edge(3)};`]

    const whole = (): Lines => [
      `i32 *y_first = (i32 *)own, *y_behind = y_first + ${rows}, *x_first = y_behind + ${rows}, *x_behind = x_first + ${columns};`,
      ...edges,
      `gp_cell_edges(gp_whole_edge(top), gp_whole_edge(bottom), ${rows}, ${height}, y_first, y_behind);`,
      `gp_cell_edges(gp_whole_edge(left), gp_whole_edge(right), ${columns}, ${width}, x_first, x_behind);`,
      ...over([
        'f64 best = y_behind[i] > y_first[i] && x_behind[j] > x_first[j] ? -__builtin_inf() : 0.0;',
        'for (long y = y_first[i]; y < y_behind[i]; y++) {',
        '  for (long x = x_first[j]; x < x_behind[j]; x++) {',
        `    const f64 value = ${pixel(`y * ${width} + x`)};`,
        `    ${larger('value')}`,
        '  }',
        '}',
        ...store('best'),
      ]),
    ]

    const length = (name: string, from: string, to: string): Lines => {
      const plain = rounded(`${to} - ${from}`)
      return aligned
        ? [`const f64 ${name}_length = ${plain};`]
        : [`f64 ${name}_length = ${plain};`, `if (${name}_length < 1.0) ${name}_length = 1.0;`]
    }
    const cell = (name: string, from: string, to: string, count: number): Lines => [
      ...length(name, from, to),
      `const f64 ${name}_cell = ${rounded(`${name}_length / ${count}.0`)};`,
      `const f64 ${name}_count = ${samples > 0 ? `${samples}.0` : `gp_cell_samples(${name}_cell)`};`,
    ]
    const sampled = (): Lines => [
      `f64 *y_share = (f64 *)own, *x_share = y_share + ${rows * most[0]};`,
      `i32 *y_at = (i32 *)(y_share + ${places}), *x_at = y_at + ${rows * most[0]}, *y_found = y_at + ${places}, *x_found = y_found + ${rows};`,
      ...edges,
      ...cell('y', 'top', 'bottom', rows),
      ...cell('x', 'left', 'right', columns),
      `gp_samples(top, y_cell, y_count, ${rows}, ${height}, ${most[0]}, y_found, y_at, y_share);`,
      `gp_samples(left, x_cell, x_count, ${columns}, ${width}, ${most[1]}, x_found, x_at, x_share);`,
      ...(mode === 'mean'
        ? ['const f64 all = (y_count > 0.0 ? y_count : 0.0) * (x_count > 0.0 ? x_count : 0.0), total = all > 1.0 ? all : 1.0;']
        : []),
      ...over([
        mode === 'mean'
          ? 'f64 sum = 0.0;'
          : 'f64 best = y_found[i] < y_count || x_found[j] < x_count || y_found[i] * x_found[j] == 0 ? 0.0 : -__builtin_inf();',
        'for (long m = 0; m < y_found[i]; m++) {',
        `  const f64 v = y_share[i * ${most[0]} + m];`,
        `  const long y = y_at[i * ${most[0]} + m], below = y + 1 < ${height} ? ${width} : 0;`,
        '  for (long n = 0; n < x_found[j]; n++) {',
        `    const f64 u = x_share[j * ${most[1]} + n];`,
        `    const long x = x_at[j * ${most[1]} + n], at = y * ${width} + x, beside = x + 1 < ${width} ? 1 : 0;`,
        ...(mode === 'mean'
          ? [
              `    sum += (1.0 - v) * (1.0 - u) * ${pixel('at')} + (1.0 - v) * u * ${pixel('at + beside')}`,
              `      + v * (1.0 - u) * ${pixel('at + below')} + v * u * ${pixel('at + below + beside')};`,
            ]
          : [
              `    const f64 shares[4] = {(1.0 - v) * (1.0 - u) * ${pixel('at')}, (1.0 - v) * u * ${pixel('at + beside')},`,
              `      v * (1.0 - u) * ${pixel('at + below')}, v * u * ${pixel('at + below + beside')}};`,
              `    for (long k = 0; k < 4; k++) { ${larger('shares[k]')} }`,
            ]),
        '  }',
        '}',
        ...store(mode === 'mean' ? '(sum / total)' : 'best'),
      ]),
    ]
    const body = kernel.domain.includes(0) ? [] : sharedNest(level, [['r', regions]], mode === 'cells' ? whole() : sampled())
    return [...check, ...body, 'return 0;']
  },
}

/** What elements of the input are stored as. */
const storageOf = ({ anchor }: AnchoredKernel): string => anchor.operands[0]!.dtype
