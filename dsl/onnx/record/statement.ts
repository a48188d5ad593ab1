import type { TensorType } from '../../../compiler/graph/index.ts'
import type { Tensor } from '../../tensor.ts'

/** One call of a function of the vocabulary, as the importer made it and as the writer prints it: `conv2d(x, weight, bias, { stride: 2 })`. */
export interface Statement {
  /** Name of the function as `glowplug` exports it. */
  readonly call: string
  /** Tensors, numbers, strings, booleans, `undefined`, arrays and plain objects of these, in the order of the parameters. */
  readonly arguments: readonly Argument[]
  /** The tensors that it returned: one, a list (`split`), or an object (`lstm`). */
  readonly result: Returned
  /** The ONNX node that asked for it: name, or op and first output where it has none. */
  readonly origin: string
}

/** A function among the arguments, as it was called: what it was given, what it called, and what it returned. It reads nothing else. */
export class RecordedBody {
  readonly parameters: readonly Argument[]
  readonly statements: readonly Statement[]
  readonly returned: Argument
  constructor(parameters: readonly Argument[], statements: readonly Statement[], returned: Argument) {
    this.parameters = parameters
    this.statements = statements
    this.returned = returned
  }
}

export type Argument =
  | Tensor
  | RecordedBody
  | number
  | bigint
  | string
  | boolean
  | undefined
  | readonly Argument[]
  | { readonly [key: string]: Argument }

export type Returned =
  | { readonly kind: 'one'; readonly tensor: Tensor }
  | { readonly kind: 'list'; readonly tensors: readonly Tensor[] }
  | { readonly kind: 'object'; readonly tensors: Readonly<Record<string, Tensor>> }

/** What a tensor among the arguments of a statement is. */
export type Source =
  | { readonly kind: 'input'; readonly name: string }
  /** A tensor of the weights file, `w.get(name, dtype, shape)`. */
  | { readonly kind: 'weight'; readonly name: string }
  /** A small constant that is written in the model. */
  | { readonly kind: 'literal'; readonly values: readonly (number | bigint)[] }
  | { readonly kind: 'result'; readonly statement: Statement; readonly part: number | string | undefined }

export interface RecordedInput {
  readonly name: string
  readonly tensor: Tensor
  readonly type: TensorType
  /** For each dimension the entry of `Recording.dims` that it is, `undefined` for a plain number. */
  readonly dims?: readonly (string | undefined)[]
}

/** Everything the writer needs: what was recorded while a graph was imported. One for each entry of the model. */
export interface Recording {
  /** Name of the model: an identifier. */
  readonly name: string
  /** Name of the entry: `main` where it is the only one, else a bucket such as `seq32`. */
  readonly entry: string
  /** Symbolic dimensions that nobody bound, and the sizes that they got: `dim('seq', [128])`. */
  readonly dims: readonly { readonly name: string; readonly sizes: readonly number[] }[]
  readonly inputs: readonly RecordedInput[]
  readonly outputs: readonly { readonly name: string; readonly tensor: Tensor }[]
  /** Names of inputs that are states, and of the outputs that they become. They stand behind the other inputs. */
  readonly states?: readonly string[]
  /** In the order of calling. */
  readonly statements: readonly Statement[]
  /** What stands behind a tensor that is an argument or an output. */
  readonly sourceOf: (tensor: Tensor) => Source
  /** Lines of the header: file, producer, opset, notes. Untrusted text. */
  readonly header: readonly string[]
}
