/** Every message a user can see: its stable code, how grave it is, what it means, and the remedy when none more precise is given. */
interface Entry {
  readonly severity: 'error' | 'warning'
  readonly title: string
  readonly help: string
}

const error = (title: string, help: string): Entry => ({ severity: 'error', title, help })
const warning = (title: string, help: string): Entry => ({ severity: 'warning', title, help })

export const catalogue = {
  // ---------------------------------------------------------------- uses of ops
  'dtype-mismatch': error('An op got an element type that it does not take', 'convert the tensor with cast()'),
  'shape-mismatch': error('Shapes do not fit each other', 'compare the two shapes in the message; reshape(), transpose() and expectShape() help to find where they part'),
  'rank-mismatch': error('A tensor has the wrong number of dimensions', 'bring it to the stated layout with reshape(), squeeze() or unsqueeze()'),
  'bad-attribute': error('An option of an op is out of range or of the wrong kind', 'see the op’s documentation in the editor for the accepted values'),
  'bad-operand': error('An op got something that is not a tensor where it needs one, or the wrong number of tensors', 'pass a value that tensor(), weights().get() or another op returned'),
  'too-large': error('A tensor is beyond the limits of the compiler', 'split the tensor; the limits are rank 8 and 2^31 − 1 elements'),
} as const satisfies Readonly<Record<string, Entry>>

export type DiagnosticCode = keyof typeof catalogue
