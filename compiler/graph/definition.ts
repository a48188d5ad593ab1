import type { z } from 'zod'
import type { DType } from './dtype.ts'
import type { Graph } from './node.ts'
import type { TensorType } from './type.ts'

/** `pure` ops may be removed, merged and folded; `elementwise` ops compute result i from operands at i after broadcasting. */
export type Trait =
  | 'pure'
  | 'elementwise'
  | 'commutative'
  | 'associative'
  /** f(f(x)) = f(x) */
  | 'idempotent'
  /** the result is the operand's storage under another shape */
  | 'view'
  /** moves elements without computing; result elements are operand elements (or a constant) */
  | 'movement'
  /** starts a kernel that may carry elementwise work behind it */
  | 'anchor'
  /** combines the elements of some axes; an anchor that may also carry elementwise work before it */
  | 'reduction'
  /** checks operand values while running and may fail, such as on an index outside its table */
  | 'checked'
  /** writes out what its operand holds in fewer bytes; over a constant it is not folded before it was tried to do without it */
  | 'decoding'
  /** the result is a part of the operand's bytes, read as other elements */
  | 'bits'
  /** has no operands and stands for storage: inputs and constants */
  | 'storage'

export interface Operand {
  readonly doc: string
  /** `optional` operands stand last; `many` is the only operand. */
  readonly count: 'one' | 'optional' | 'many'
  readonly dtypes: readonly DType[]
}

/** Facts about storage; having them is what makes an op primitive, or a composite that targets may keep. */
export interface Memory {
  /** Indices of operands whose buffer may also be the result's, when dtype and shape agree. */
  readonly inPlace: readonly number[]
}

type OperandTypes<O extends Readonly<Record<string, Operand>>> = {
  readonly [K in keyof O]: O[K]['count'] extends 'many'
    ? readonly TensorType[]
    : O[K]['count'] extends 'optional'
      ? TensorType | undefined
      : TensorType
}

export interface OpDefinition<
  Name extends string = string,
  O extends Readonly<Record<string, Operand>> = Readonly<Record<string, Operand>>,
  A extends z.ZodObject = z.ZodObject,
> {
  readonly name: Name
  /** One sentence; the first sentence of the DSL function's documentation. */
  readonly summary: string
  readonly operands: O
  readonly attributes: A
  readonly traits: readonly Trait[]
  /** `control`: runs graphs of its own, which every target does between its kernels. */
  readonly kind: 'primitive' | 'composite' | 'control'
  readonly memory: Memory
  /** How many graphs a node has of its own. Default: none. */
  readonly bodies?: number
  /** The result's type; throws ModelProblem when operands, attributes and bodies do not fit. */
  readonly infer: (operands: any, attributes: any, bodies: readonly Graph[]) => TensorType
  /** What it means when a `checked` op fails while running, with the limits in it. */
  readonly fault?: (operands: any, attributes: any) => string
}

interface Spec<Name extends string, O extends Readonly<Record<string, Operand>>, A extends z.ZodObject> {
  readonly name: Name
  readonly summary: string
  readonly operands: O
  readonly attributes: A
  readonly traits: readonly Trait[]
  readonly infer: (operands: OperandTypes<O>, attributes: z.output<A>, bodies: readonly Graph[]) => TensorType
  readonly bodies?: number
  readonly memory?: Memory
  readonly fault?: (operands: OperandTypes<O>, attributes: z.output<A>) => string
}

/** An op every target implements. */
export const primitive = <const Name extends string, O extends Readonly<Record<string, Operand>>, A extends z.ZodObject>(
  spec: Spec<Name, O, A>,
): OpDefinition<Name, O, A> & { readonly kind: 'primitive' } =>
  Object.freeze({ memory: { inPlace: [] }, ...spec, kind: 'primitive' as const })

/** An op with a lowering to others; a target may keep it. */
export const composite = <const Name extends string, O extends Readonly<Record<string, Operand>>, A extends z.ZodObject>(
  spec: Spec<Name, O, A>,
): OpDefinition<Name, O, A> & { readonly kind: 'composite' } =>
  Object.freeze({ memory: { inPlace: [] }, ...spec, kind: 'composite' as const })

/** An op that runs graphs of its own: its bodies. */
export const control = <const Name extends string, O extends Readonly<Record<string, Operand>>, A extends z.ZodObject>(
  spec: Spec<Name, O, A> & { readonly bodies: number },
): OpDefinition<Name, O, A> & { readonly kind: 'control' } =>
  Object.freeze({ memory: { inPlace: [] }, ...spec, kind: 'control' as const })
