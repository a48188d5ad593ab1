import { dtypeFacts } from '../../../compiler/graph/dtype.ts'
import { resolveAxis } from '../../../compiler/graph/ops/shared.ts'
import { denseStrides, elementCount, type Shape } from '../../../compiler/graph/type.ts'
import { isPlain } from '../access.ts'
import { lanesOf } from '../level.ts'
import { computeType, loadText } from '../scalar.ts'
import { isVectorProgram, loadLanes, storeAfter, storeElement } from '../steps.ts'
import { inSixteenBits } from '../stored.ts'
import { sharedNest } from '../team.ts'
import { type Lines, loop, sum } from '../text.ts'
import { pointersOf, type Template } from './template.ts'

const loopsOver = (extents: Shape) => extents.map((extent, d) => [`i${d}`, extent] as const)

/** Parts of a table by index. All indices are checked before anything is written: by each thread of a team, so that none waits for another. */
export const gather: Template = {
  kind: 'template',
  // Rows are computed on in vectors; single elements from here and there are better stored first.
  follows: ({ operands, attributes, op }) => {
    const [table] = operands
    return (
      table!.dtype === 'f32' &&
      elementCount(table!.shape.slice(resolveAxis(attributes.axis as number, table!.shape.length, op) + 1)) > 1
    )
  },
  // Entry by entry as they are: which are read is known while running.
  stores: (kernel, index) => index === 0 && kernel.anchor.operands[0]!.dtype === 'f32',
  pack(kernel, index) {
    const { stored, type } = kernel.inputs[index]!
    if (index !== 0 || !stored) return undefined
    return {
      key: `in order as ${stored}`,
      bytes: 2 * elementCount(type.shape),
      pack: (dense) => new Uint8Array(inSixteenBits(dense, stored).buffer),
    }
  },
  body(kernel, level) {
    const [table, indices] = kernel.anchor.operands
    const { stored } = kernel.inputs[0]!
    const axis = resolveAxis(kernel.anchor.attributes.axis as number, table!.shape.length, kernel.anchor.op)
    const extent = table!.shape[axis]!
    const count = elementCount(indices!.shape)
    const inner = elementCount(table!.shape.slice(axis + 1))
    const outer = elementCount(table!.shape.slice(0, axis))
    const { dtype } = table!
    const check = loop('i', 0, count, 1, [
      `const i64 index = (i64)x1[i];`,
      `if (index < ${-extent} || index >= ${extent}) return 1;`,
    ])
    const resolved = (i: string) => [
      `const i64 index = (i64)x1[${i}];`,
      `const long at = (long)(index < 0 ? index + ${extent} : index);`,
    ]
    const bytes = inner * dtypeFacts[dtype].bytes
    const body = (): Lines => {
      if (isPlain(kernel) && dtype !== 'bool' && !stored) {
        const from = `x0[(o * ${extent} + at) * ${inner}`
        const move =
          bytes >= 64
            ? [`gp_copy(out + (o * ${count} + i) * ${inner}, x0 + (o * ${extent} + at) * ${inner}, ${bytes});`]
            : loop('k', 0, inner, 1, [`out[(o * ${count} + i) * ${inner} + k] = ${from} + k];`])
        const loops = [
          ['o', outer],
          ['i', count],
        ] as const
        return sharedNest(level, loops, [...resolved('i'), ...move])
      }
      const rank = kernel.domain.length
      const end = axis + indices!.shape.length
      const position = kernel.domain.map((_, d) => `i${d}`)
      const which = sum(denseStrides(indices!.shape).map((stride, d) => [`i${axis + d}`, stride] as const))
      const tableStrides = denseStrides(table!.shape)
      const base = sum([
        ...position.slice(0, axis).map((variable, d) => [variable, tableStrides[d]!] as const),
        ['at', tableStrides[axis]!] as const,
        ...position.slice(end, rank).map((variable, d) => [variable, tableStrides[axis + 1 + d]!] as const),
      ])
      if (dtype === 'f32' && end < rank && isVectorProgram(kernel.steps)) {
        const [lanes, width, last] = [lanesOf(level), kernel.domain.at(-1)!, position.at(-1)!]
        const domain = { extents: kernel.domain, steps: kernel.steps }
        const vector = (used: number) => [
          `const vf element = ${loadLanes('x0', base, used, level, stored)};`,
          ...storeAfter(domain, position, used, 'element', pointersOf(kernel), level),
        ]
        const rest = width % lanes
        const row = [
          ...resolved(which),
          ...loop(last, 0, width - rest, lanes, vector(lanes)),
          ...(rest > 0 ? loop(last, width - rest, width, rest, vector(rest)) : []),
        ]
        return sharedNest(level, loopsOver(kernel.domain.slice(0, -1)), row)
      }
      const lines = [
        ...resolved(which),
        `const ${computeType(dtype)} element = ${loadText(stored ?? dtype, `x0[${base}]`)};`,
        ...storeElement({ extents: kernel.domain, steps: kernel.steps }, position, 'element', pointersOf(kernel)),
      ]
      return sharedNest(level, loopsOver(kernel.domain), lines)
    }
    return [...check, ...(kernel.domain.includes(0) ? [] : body()), 'return 0;']
  },
}
