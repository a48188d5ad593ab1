import { reject } from '../compiler/graph/index.ts'
import { maximumOperands, readInteger, readList } from './check.ts'
import { describe } from './tracer.ts'

/** A dimension with a name. It passes for a number; the editor takes it for an unknown dimension in shapes. */
export type Dim<Name extends string = string, Size extends number = number> = number & {
  readonly dim: Name
  readonly sizes: Size
}

/**
 * A symbolic dimension of an input: its name, and the size that the model is compiled for.
 * @param name letters, digits and `_`, not starting with a digit
 * @param sizes at least 1 each; one of them, as an entry has one size: several are several entries
 */
export function dim<const Name extends string, const Size extends number>(name: Name, sizes: readonly Size[]): Dim<Name, Size> {
  if (typeof name !== 'string' || !/^[A-Za-z_]\w{0,63}$/.test(name))
    reject('bad-attribute', `dim: name must consist of letters, digits and _, got ${describe(name)}`)
  const list = Array.from(readList('dim', 'sizes', sizes, maximumOperands), (size, i) =>
    readInteger('dim', `sizes[${i}]`, size, 1),
  )
  if (list.length !== 1)
    reject(
      'bad-attribute',
      list.length === 0
        ? `dim: '${name}' needs a size, as in dim('${name}', [128])`
        : `dim: '${name}' has ${list.length} sizes, an entry has one; make an entry for each size, as in entries: { ${name}${list[0]}: …, ${name}${list[1]}: … }`,
    )
  return list[0] as never
}
