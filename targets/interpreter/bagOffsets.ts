import { EvaluationFault } from './fault.ts'
import { type ComputedName, type Row, whole } from './row.ts'
import { decode, encode } from './values.ts'

export const bagRows = {
  /** All of the operand is looked at before anything is given. */
  bagOffsets: whole<'bagOffsets'>(([lengths], { limit, given }) => {
    const values = Array.from(decode(lengths!), Number)
    const offsets = given === 'lengths' ? [0] : values
    if (given === 'lengths')
      for (const [bag, length] of values.entries()) {
        if (length < 0) throw new EvaluationFault(`bagOffsets: bag ${bag} has the length ${length}`)
        offsets.push(offsets[bag]! + length)
      }
    const wrong = offsets.findIndex((offset, i) => (i === 0 ? offset !== 0 : offset < offsets[i - 1]!))
    if (wrong >= 0)
      throw new EvaluationFault(`bagOffsets: offset ${wrong} is ${offsets[wrong]}; offsets begin at 0 and never fall`)
    if (offsets.at(-1)! > limit)
      throw new EvaluationFault(`bagOffsets: the bags have ${offsets.at(-1)} indices together, and there are ${limit}`)
    return encode('i32', Float64Array.from(offsets))
  }),
} satisfies { readonly [K in ComputedName]?: Row<K> }
