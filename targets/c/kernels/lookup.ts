import { collapse, resultDomain } from '../access.ts'
import { computeType, loadText } from '../scalar.ts'
import { storeElement } from '../steps.ts'
import { type Lines, loop } from '../text.ts'
import { pointersOf, type Template } from './template.ts'

/** A table's entry for each byte, in as few loops as the steps allow. */
export const lookup: Template = {
  kind: 'template',
  storesRows: true,
  body(kernel) {
    const [input, table] = kernel.anchor.operands
    const domain = collapse(resultDomain(kernel))
    const position = domain.extents.map((_, axis) => `i${axis}`)
    const byte = input!.dtype === 'i8' ? '(u8)x0[at]' : 'x0[at]'
    const body = [
      `const ${computeType(table!.dtype)} element = ${loadText(table!.dtype, `x1[${byte}]`)};`,
      'at++;',
      ...storeElement(domain, position, 'element', pointersOf(kernel)),
    ]
    return [
      'long at = 0;',
      ...domain.extents.reduceRight<Lines>((inner, extent, axis) => loop(`i${axis}`, 0, extent, 1, inner), body),
    ]
  },
}
