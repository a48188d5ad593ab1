import { z } from 'zod'
import { primitive } from '../definition.ts'
import { reject } from '../problem.ts'

/** Both are made by the builder, which knows their type; nothing infers it. */
const given = (op: string) => () => reject('bad-operand', `${op} is made by the builder with its type given`)

export const input = primitive({
  name: 'input',
  summary: 'A tensor that the caller passes',
  operands: {},
  attributes: z.strictObject({ name: z.string() }),
  traits: ['storage'],
  infer: given('input'),
})

export const constant = primitive({
  name: 'constant',
  summary: 'A tensor known at build',
  operands: {},
  attributes: z.strictObject({}),
  traits: ['storage', 'pure'],
  infer: given('constant'),
})
