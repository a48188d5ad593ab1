import { unknown } from '../session.ts'
import { ts } from '../syntax.ts'
import { toKey, toText } from '../values/convert.ts'
import { concatenate } from '../values/operators.ts'
import { define, getProperty, ownNames } from '../values/property.ts'
import { Accessor, ArrayValue, FunctionValue, isObject, ObjectValue, Unknown, type Value } from '../values/value.ts'
import { prepareElements } from './calls.ts'
import type { Code, Evaluator } from './code.ts'
import { prepareExpression } from './expressions.ts'
import { makeClosure, prepareFunction } from './functions.ts'
import { prepareIdentifier } from './names.ts'
import { prepareKey } from './patterns.ts'
import type { Frame } from './scope.ts'

/** `` `a${b}` `` */
export function prepareTemplate(node: ts.TemplateExpression, code: Code): Evaluator {
  const { session } = code
  const head = node.head.text
  const spans = node.templateSpans.map((span) => ({
    node: span.expression,
    evaluate: prepareExpression(span.expression, code),
    text: span.literal.text,
  }))
  return (frame) => {
    let text = head
    let unknownPart: Unknown | undefined
    for (const span of spans) {
      const value = span.evaluate(frame)
      session.at = span.node
      if (value instanceof Unknown) unknownPart ??= value
      else text = concatenate(session, text, toText(session, value) + span.text)
    }
    return unknownPart ?? text
  }
}

/** `[a, ...b]` */
export function prepareArray(node: ts.ArrayLiteralExpression, code: Code): Evaluator {
  const elements = prepareElements(node.elements, code)
  return (frame) => {
    const items = elements(frame)
    return items instanceof Unknown ? items : new ArrayValue(items)
  }
}

/** Adds one part of an object literal; answers with what makes the whole object unknown. */
type Part = (frame: Frame, object: ObjectValue) => Unknown | undefined

/** `{ a, b: 1, [c]: 2, ...d, e() {}, get f() {} }` */
export function prepareObject(node: ts.ObjectLiteralExpression, code: Code): Evaluator {
  const parts = node.properties.map((property) => preparePart(property, code))
  return (frame) => {
    const object = new ObjectValue()
    origins.set(object, node)
    let unknownPart: Unknown | undefined
    for (const part of parts) unknownPart = part(frame, object) ?? unknownPart
    return unknownPart ?? object
  }
}

const origins = new WeakMap<ObjectValue, ts.ObjectLiteralExpression>()
/** The literal that an object comes from, to point at its properties. */
export const literalOf = (object: ObjectValue): ts.ObjectLiteralExpression | undefined => origins.get(object)

function preparePart(property: ts.ObjectLiteralElementLike, code: Code): Part {
  const { session } = code
  if (ts.isSpreadAssignment(property)) {
    const source = prepareExpression(property.expression, code)
    return (frame, object) => copyProperties(source(frame), object, property, code)
  }
  if (ts.isShorthandPropertyAssignment(property)) {
    const value = prepareIdentifier(property.name, code)
    return (frame, object) => void define(session, object, property.name.text, value(frame))
  }
  const key = prepareKey(property.name, code)
  const fixedName = ts.isIdentifier(property.name) || ts.isStringLiteral(property.name) ? property.name.text : undefined
  if (fixedName === '__proto__' && ts.isPropertyAssignment(property)) {
    return () => unknown(session, property, 'unsupported-reflection', '__proto__ sets the class of an object')
  }
  const named = (frame: Frame): string | Unknown => {
    const value = key(frame)
    return value instanceof Unknown ? value : toKey(session, value)
  }
  if (ts.isPropertyAssignment(property)) {
    const value = prepareExpression(property.initializer, code, fixedName)
    const isNameless = fixedName === undefined && isAnonymousFunction(property.initializer)
    return (frame, object) => {
      const name = named(frame)
      const content = value(frame)
      if (name instanceof Unknown) return name
      if (isNameless && content instanceof FunctionValue) content.name = name
      define(session, object, name, content)
      return undefined
    }
  }
  const method = prepareFunction(property, code, fixedName ?? '')
  return (frame, object) => {
    const name = named(frame)
    if (name instanceof Unknown) return name
    const closure = makeClosure(method, frame, object, name)
    define(session, object, name, ts.isMethodDeclaration(property) ? closure : withAccessor(object, name, property, closure))
    return undefined
  }
}

const isAnonymousFunction = (node: ts.Expression) =>
  ts.isArrowFunction(node) || ((ts.isFunctionExpression(node) || ts.isClassExpression(node)) && !node.name)

/** A getter or setter, joined with its other half where that is there already. */
export function withAccessor(object: ObjectValue, name: string, syntax: ts.Node, closure: Value): Accessor {
  const known = object.properties.get(name)
  const other = known instanceof Accessor ? known : undefined
  return ts.isGetAccessor(syntax) ? new Accessor(closure, other?.set) : new Accessor(other?.get, closure)
}

function copyProperties(source: Value, object: ObjectValue, node: ts.Node, { session }: Code): Unknown | undefined {
  if (source instanceof Unknown) return source
  if (typeof source === 'string') {
    for (let i = 0; i < source.length; i++) define(session, object, String(i), source[i])
  }
  if (!isObject(source)) return undefined
  if (source.taint) return source.taint
  for (const name of ownNames(source)) define(session, object, name, getProperty(session, node, source, name))
  return undefined
}
