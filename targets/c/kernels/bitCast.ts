import { dtypeFacts } from '../../../compiler/graph/dtype.ts'
import { collapse, resultDomain } from '../access.ts'
import { computeType, loadText, storageType } from '../scalar.ts'
import { storeElement } from '../steps.ts'
import { type Lines, loop } from '../text.ts'
import { pointersOf, type Template } from './template.ts'

/** Bytes as elements of another type, which begin at any byte. */
export const bitCast: Template = {
  kind: 'template',
  storesRows: true,
  body(kernel) {
    const { dtype } = kernel.anchor.type
    const { bytes } = dtypeFacts[dtype]
    const domain = collapse(resultDomain(kernel))
    const position = domain.extents.map((_, axis) => `i${axis}`)
    const body = [
      `${storageType[dtype]} stored;`,
      `__builtin_memcpy(&stored, (const char *)x0 + at * ${bytes}, ${bytes});`,
      `const ${computeType(dtype)} element = ${loadText(dtype, 'stored')};`,
      'at++;',
      ...storeElement(domain, position, 'element', pointersOf(kernel)),
    ]
    return [
      'long at = 0;',
      ...domain.extents.reduceRight<Lines>((inner, extent, axis) => loop(`i${axis}`, 0, extent, 1, inner), body),
    ]
  },
}
