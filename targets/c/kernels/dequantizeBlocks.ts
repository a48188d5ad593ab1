import { dtypeFacts } from '../../../compiler/graph/dtype.ts'
import { elementCount } from '../../../compiler/graph/type.ts'
import { resultDomain } from '../access.ts'
import { isNarrow, loadText, roundedText } from '../scalar.ts'
import { storeElement } from '../steps.ts'
import { sharedNest } from '../team.ts'
import { sum } from '../text.ts'
import { pointersOf, type Template } from './template.ts'

/** Small integers decoded one by one: what products and look-ups do not do themselves. */
export const dequantizeBlocks: Template = {
  kind: 'template',
  storesRows: true,
  body(kernel, level) {
    const { operands, attributes, type } = kernel.anchor
    const [packed, scale, zeroPoint] = operands
    const { bits, blockSize, signed, zero } = attributes as { bits: number; blockSize: number; signed: boolean; zero: number }
    const [bytes, blocks] = [packed!.shape.at(-1)!, scale!.shape.at(-1)!]
    const position = kernel.domain.map((_, axis) => `i${axis}`)
    const lead = position.slice(0, -1)
    const row = sum(lead.map((variable, axis) => [variable, elementCount(packed!.shape.slice(axis + 1, -1))] as const))
    const column = position.at(-1)!
    const plain = `x0[row * ${bytes} + ${bits === 8 ? column : `${column} / ${8 / bits}`}]`
    const shift = bits === 8 ? '' : ` >> ${column} % ${8 / bits} * ${bits}`
    const integer = bits === 8 ? `(i32)${plain}` : `((i32)${plain}${shift} & ${2 ** bits - 1})`
    const whole = signed ? `((${integer} ^ ${2 ** (bits - 1)}) - ${2 ** (bits - 1)})` : integer
    const entry = `row * ${blocks} + ${column} / ${blockSize}`
    const offset = zeroPoint
      ? dtypeFacts[zeroPoint.dtype].kind === 'float'
        ? loadText(zeroPoint.dtype, `x2[${entry}]`)
        : `(f32)x2[${entry}]`
      : `${zero}.0f`
    const value = `((f32)${whole} - ${offset}) * ${loadText(scale!.dtype, `x1[${entry}]`)}`
    const body = [
      `const long row = ${row};`,
      `const f32 element = ${isNarrow(type.dtype) ? roundedText(type.dtype, value) : value};`,
      ...storeElement(resultDomain(kernel), position, 'element', pointersOf(kernel)),
    ]
    return sharedNest(
      level,
      position.map((variable, axis) => [variable, kernel.domain[axis]!] as const),
      body,
    )
  },
}
