import { collapse } from '../access.ts'
import { computeType, loadText } from '../scalar.ts'
import { storeElement } from '../steps.ts'
import { type Lines, loop } from '../text.ts'
import { pointersOf, type Template } from './template.ts'

/** A table's entry for each byte, in as few loops as the steps allow. */
export const lookup: Template = {
  kind: 'template',
  body(kernel) {
    const [input, table] = kernel.anchor.operands
    const { extents, steps } = collapse({ extents: kernel.domain, steps: kernel.steps })
    const position = extents.map((_, axis) => `i${axis}`)
    const byte = input!.dtype === 'i8' ? '(u8)x0[at]' : 'x0[at]'
    const body = [
      `const ${computeType(table!.dtype)} element = ${loadText(table!.dtype, `x1[${byte}]`)};`,
      'at++;',
      ...storeElement({ extents, steps }, position, 'element', pointersOf(kernel)),
    ]
    return ['long at = 0;', ...extents.reduceRight<Lines>((inner, extent, axis) => loop(`i${axis}`, 0, extent, 1, inner), body)]
  },
}
