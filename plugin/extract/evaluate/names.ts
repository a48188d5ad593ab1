import { globalValue } from '../builtins/global.ts'
import { readImport } from '../modules/link.ts'
import { languageError, unknown } from '../session.ts'
import { parseSource, ts } from '../syntax.ts'
import type { Value } from '../values/value.ts'
import type { Assigner, Code, Evaluator } from './code.ts'
import { prepareExpression } from './expressions.ts'
import { frameAt, resolveName, type Slot, uninitialised } from './scope.ts'

/** Reads a variable. */
export function prepareIdentifier(node: ts.Identifier, code: Code): Evaluator {
  const { session } = code
  const name = node.text
  const found = resolveName(code.scope, name)
  if (!found) return replaced(name, node, code) ?? prepareGlobal(node, code)
  const { hops, binding } = found
  const { slot } = binding
  if (binding.kind === 'import') return () => readImport(session, code.module, name, node)
  const check = (value: Slot): Value => (value === uninitialised ? tooEarly() : (value as Value))
  const tooEarly = () =>
    languageError(session, node, 'ReferenceError', 'used-before-declaration', `Cannot access '${name}' before initialization`)
  if (hops === 0) return (frame) => check(frame.slots[slot]!)
  if (hops === 1) return (frame) => check(frame.parent!.slots[slot]!)
  return (frame) => check(frameAt(frame, hops).slots[slot]!)
}

function prepareGlobal(node: ts.Identifier, code: Code): Evaluator {
  const { session } = code
  const value = globalValue(node.text)
  if (value !== undefined) {
    const { known } = value
    return () => known
  }
  const name = node.text
  if (name === 'arguments') return () => unknown(session, node, 'unsupported-arguments', 'the build does not read arguments')
  if (name in globalThis || hostNames.has(name))
    return () =>
      unknown(
        session,
        node,
        'unknown-global',
        `the build does not know what ${name} is when the program runs`,
        remedies.get(name),
      )
  return () => languageError(session, node, 'ReferenceError', 'undefined-name', `${name} is not defined`)
}

/** Names that Node or a bundler defines in some modules only. */
const hostNames = new Set([
  'require',
  'module',
  'exports',
  '__dirname',
  '__filename',
  'window',
  'document',
  'Bun',
  'Deno',
  'Float16Array',
  'Iterator',
])

const remedies: ReadonlyMap<string, string> = new Map([
  [
    'process',
    'write the value as a constant, or give it through the bundler’s define option: define: { "process.env.NAME": JSON.stringify(value) }',
  ],
  ['require', 'use an import declaration at the top of the file'],
  ['__dirname', 'use new URL(name, import.meta.url)'],
  ['__filename', 'use import.meta.url'],
  ['Date', 'a model must not depend on when it is built; write the value as a constant'],
  ['fetch', 'a build reads no network; put the file beside the model and name it with new URL(name, import.meta.url)'],
  ['eval', 'write the code itself in place of the text that holds it'],
  ['Function', 'write the code itself in place of the text that holds it'],
])

/** What the bundler's `define` option puts in the place of a free name such as `__DEV__` or `process.env.NODE_ENV`. */
export function replaced(name: string, node: ts.Node, code: Code): Evaluator | undefined {
  const text = code.session.define.get(name)
  if (text === undefined) return undefined
  const statement = parseSource('define.ts', `(${text})`).statements[0]
  if (!statement || !ts.isExpressionStatement(statement)) return undefined
  const value = constantOf(statement.expression, code)
  return (
    value ??
    (() => unknown(code.session, node, 'unknown-global', `the define option replaces ${name} by ${text}, which is no constant`))
  )
}

/** Defined texts may hold literals and other global names, never the names of the module that they are put into. */
function constantOf(expression: ts.Expression, code: Code): Evaluator | undefined {
  let constant = true
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !ts.isPropertyAssignment(node.parent) && globalValue(node.text) === undefined) constant = false
    if (ts.isCallExpression(node) || ts.isFunctionLike(node)) constant = false
    ts.forEachChild(node, visit)
  }
  visit(expression)
  return constant ? prepareExpression(expression, { ...code, scope: { names: new Map(), parent: undefined } }) : undefined
}

/** `process.env.NODE_ENV` as text, when it is a chain of names that starts with one nobody declares. */
export function freeChain(node: ts.Expression, code: Code): string | undefined {
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.name)) {
    const target = freeChain(node.expression, code)
    return target && `${target}.${node.name.text}`
  }
  if (ts.isMetaProperty(node)) return 'import.meta'
  return ts.isIdentifier(node) && !resolveName(code.scope, node.text) ? node.text : undefined
}

/** Writes a variable that exists. */
export function prepareVariableTarget(node: ts.Identifier, code: Code): Assigner {
  const { session } = code
  const name = node.text
  const found = resolveName(code.scope, name)
  if (!found) return () => void languageError(session, node, 'ReferenceError', 'undefined-name', `${name} is not defined`)
  const { hops, binding } = found
  const { slot, kind } = binding
  if (kind === 'const' || kind === 'import' || kind === 'enum' || (kind === 'class' && isInnerName(binding.node))) {
    return (frame) => {
      if (kind === 'const' && frameAt(frame, hops).slots[slot] === uninitialised) return void early()
      languageError(session, node, 'TypeError', 'read-only', 'Assignment to constant variable.')
    }
  }
  const early = () =>
    languageError(session, node, 'ReferenceError', 'used-before-declaration', `Cannot access '${name}' before initialization`)
  return (frame, value) => {
    const { slots } = frameAt(frame, hops)
    if (slots[slot] === uninitialised) early()
    else slots[slot] = value
  }
}

/** Inside its own body the name of a class is constant. Inner names are declared with their class as node. */
const isInnerName = (node: ts.Node) => ts.isClassExpression(node)
