import type { ProblemCode } from '../graph/index.ts'

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
  'shape-mismatch': error(
    'Shapes do not fit each other',
    'compare the two shapes in the message; reshape(), transpose() and expectShape() help to find where they part',
  ),
  'rank-mismatch': error(
    'A tensor has the wrong number of dimensions',
    'bring it to the stated layout with reshape(), squeeze() or unsqueeze()',
  ),
  'bad-attribute': error(
    'An option of an op is out of range or of the wrong kind',
    'see the op’s documentation in the editor for the accepted values',
  ),
  'bad-operand': error(
    'An op got something that is not a tensor where it needs one, or the wrong number of tensors',
    'pass a value that tensor(), weights().get() or another op returned',
  ),
  'too-large': error(
    'A tensor is beyond the limits of the compiler',
    'split the tensor; the limits are rank 8 and 2^31 − 1 elements',
  ),
  'tensor-in-expression': error(
    'A tensor stands where a number or a text is needed',
    'compute with tensors by ops: add(x, 1) in place of x + 1; a choice by elements is where(greater(x, 0), a, b)',
  ),

  // ---------------------------------------------------------------- targets
  'unsupported-op': error(
    'The target cannot compile an op',
    'convert the tensors with cast() to an element type that the target computes with, or build for another target',
  ),
  'target-unavailable': error(
    'The model cannot be compiled for a target that was asked for',
    "leave the target out, or let targets: 'auto' take those that can be compiled here",
  ),

  'placement-impossible': error(
    'The model has no place on the platform',
    "take the platform's cards larger or more, quantise the model, or leave the platform out; 'glowplug plan' tells what each card would hold",
  ),

  'tuning-unreadable': error(
    'The measurements beside a model cannot be read',
    "let 'glowplug tune' measure again after removing the file, or build with tuned: false (--no-tuned)",
  ),
  'tuning-stale': warning(
    'Measurements beside a model do not fit it',
    "let 'glowplug tune' measure again; until then these kernels are made as without measurements",
  ),

  'over-budget': error(
    'A compiled model needs more bytes than its budget allows',
    'make what the notes name smaller (a smaller batch or image, weights in fewer bits), or raise the budget',
  ),

  // ---------------------------------------------------------------- weights
  'weights-unreadable': error(
    'A weights file cannot be read',
    'put the file beside the model and name it with new URL("./name.safetensors", import.meta.url)',
  ),
  'weights-malformed': error('A weights file is damaged or of another format', 'write it again as safetensors'),
  'weight-missing': error('The weights file has no tensor of that name', 'compare the name with the names in the file'),
  'weight-mismatch': error(
    'A tensor of the weights file has another element type or shape',
    'state the type that the file has, and convert with cast() or reshape()',
  ),
  'weight-unused': warning(
    'A tensor of the weights file is used by no model',
    'use it, or list it under the option ignore of weights()',
  ),

  // ---------------------------------------------------------------- ONNX files
  'onnx-malformed': error(
    'An ONNX file is damaged or of another format',
    'write the file again with the tool that exported it; onnx.checker.check_model says more',
  ),
  'onnx-unsupported': error(
    'An ONNX file holds something that has no counterpart here',
    'state sizes with --dim and known inputs with --constant, export the model in another way, or replace these parts of it',
  ),
  'onnx-option': error(
    'An option of an import or export does not fit the model',
    "correct the option; 'glowplug import --help' and 'glowplug export --help' list them",
  ),

  // ---------------------------------------------------------------- models
  'input-unused': warning('An input does not influence any output', 'use it in forward(), or remove it from inputs'),
  'state-unused': warning(
    'A state is never read, or never renewed',
    'read it from the second argument of forward() and return its next value under its name, or remove it from state',
  ),
  'state-mismatch': error(
    'A state would become something of another type',
    'return a tensor of the element type and shape that state() describes, or leave the name out, which keeps the state as it is',
  ),
  'duplicate-name': error('Two models of one file have the same name', 'give each model a name of its own'),
  'bad-name': error('A name cannot be used in generated code', 'use letters, digits and _'),
  'bad-model': error(
    'model() was given something that is no model',
    'write model({ name, inputs: { … }, forward(inputs) { return { … } } }), or model({ name, entries: { step: { inputs, forward } } })',
  ),
  'outside-forward': error(
    'An op is applied outside the forward function of a model',
    'move the call into forward(), or into a helper that forward() calls',
  ),
  'padding-mixed': error(
    'Padding of a dimension with several sizes would get into results',
    'put a value there that does not count, with where(), validMask() and validLength()',
  ),
  'size-dependent': error(
    'A model computes something else at another size of a dimension',
    'use the size in shapes and positions only; where the model computes with it, take validLength()',
  ),
  'model-not-exported': warning(
    'A model is not exported and stays on the reference interpreter',
    'write export default model(…) or export const name = model(…) at the top level of the file',
  ),
  'no-model': warning(
    'A model file without a model',
    'export one: export default model({ … }); or give the file another ending than .model.ts',
  ),
  'model-at-build': error(
    'A model would have to run while it is being built',
    'call models from other modules, not from the file that declares them',
  ),

  // ---------------------------------------------------------------- modules
  'syntax-error': error('The file does not parse', 'see what the editor says at this place'),
  'unresolved-import': error(
    'An imported module cannot be found',
    'check the path, the paths of tsconfig.json, and whether the package is installed',
  ),
  'unreadable-module': error(
    'The model uses a module that the build cannot read',
    'move what the model needs into a TypeScript or JavaScript module without Node’s own modules',
  ),
  'missing-export': error('A module does not export that name', 'check the name at both ends'),

  // ---------------------------------------------------------------- values that only the running program has
  'unknown-global': error(
    'The model depends on something that only the running program has',
    'write the value as a constant, or give it through the bundler’s define option',
  ),
  'undefined-name': error('A name is declared nowhere', 'declare or import it'),
  'changed-by-unknown': error(
    'A value that the model uses may have been changed by code that the build cannot read',
    'hand over a copy: structuredClone(value), or { ...value }',
  ),

  // ---------------------------------------------------------------- outside the subset of the language
  'unsupported-async': error('A model cannot wait', 'write plain functions; read data with JSON imports and weights()'),
  'unsupported-generator': error('Generators are outside the subset', 'return an array'),
  'unsupported-regex': error('Regular expressions are outside the subset', 'use startsWith(), includes(), split() or slice()'),
  'unsupported-decorator': error('Decorators are outside the subset', 'call the function that the decorator stands for'),
  'unsupported-dynamic-import': error('import() is outside the subset', 'use an import declaration at the top of the file'),
  'unsupported-namespace': error('Namespaces are outside the subset', 'use a module or an object'),
  'unsupported-arguments': error('arguments is outside the subset', 'use a rest parameter: (...values)'),
  'unsupported-extends': error('Only classes of the model itself, and errors, can be extended', 'hold the value in a field'),
  'unsupported-constructor': error('Only classes can be constructed', 'write a class'),
  'unsupported-reflection': error(
    'Code that inspects or changes classes is outside the subset',
    'use plain objects, Map or classes',
  ),
  'unsupported-builtin': error(
    'A built-in function is outside the subset',
    'see the table of the subset; compute it in another way, or write the result as a constant',
  ),
  'unsupported-syntax': error('A form of the language is outside the subset', 'see the table of the subset'),

  // ---------------------------------------------------------------- mistakes that the program would make too
  'user-throw': error('The model throws an error', 'the message is the model’s own; see where it is thrown'),
  'undefined-property': error('A property of undefined or null', 'check where the value comes from, or use ?.'),
  'not-a-function': error('Something is called that is no function', 'check the name, and what it was assigned'),
  'not-iterable': error(
    'Something is iterated that is no list',
    'use an array, a Map, a Set or a string; Object.entries() lists an object',
  ),
  'used-before-declaration': error(
    'A variable is read before its declaration',
    'move the declaration up; cyclic imports may need a module of their own',
  ),
  'read-only': error('Something that is constant or frozen is assigned', 'declare it with let, or assign to a copy'),
  'bad-conversion': error('Values of these kinds cannot be combined', 'convert them first: Number(x), BigInt(x), String(x)'),
  'bad-argument': error('A built-in function was given a value out of its range', 'check the argument'),

  // ---------------------------------------------------------------- budget
  'step-limit': error(
    'Reading the model takes too long',
    'look for a loop that does not end; write large results as constants or weights',
  ),
  'depth-limit': error(
    'The model is nested too deep',
    'look for a recursion that does not end; split long expressions into constants',
  ),
  'size-limit': error('The model makes values that are too large', 'keep large data in weights'),
} as const satisfies Readonly<Record<string, Entry>> & Readonly<Record<ProblemCode, Entry>>

export type DiagnosticCode = keyof typeof catalogue
