/** What can be wrong with a use of the DSL or of an op. Each has an entry of the same name in the diagnostic catalogue. */
export type ProblemCode =
  | 'dtype-mismatch'
  | 'shape-mismatch'
  | 'rank-mismatch'
  | 'bad-attribute'
  | 'bad-operand'
  | 'too-large'
  | 'weights-unreadable'
  | 'weights-malformed'
  | 'weight-missing'
  | 'weight-mismatch'
  | 'weight-unused'
  | 'input-unused'
  | 'state-unused'
  | 'state-mismatch'
  | 'duplicate-name'
  | 'bad-name'
  | 'bad-model'
  | 'outside-forward'
  | 'padding-mixed'
  | 'size-dependent'
  | 'onnx-malformed'
  | 'onnx-unsupported'
  | 'onnx-option'

/** A mistake of the model's author. Thrown without a source location by ops, builder and DSL; the caller knows the location. */
export class ModelProblem extends Error {
  override readonly name = 'ModelProblem'
  readonly code: ProblemCode
  constructor(code: ProblemCode, message: string) {
    super(message)
    this.code = code
  }
}

export function reject(code: ProblemCode, message: string): never {
  throw new ModelProblem(code, message)
}

/** A broken promise between rooms of the compiler: our mistake, never the user's. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

export function assertInvariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
