import { languageError, type Session } from '../session.ts'
import { ts } from '../syntax.ts'
import { describeValue, toKey } from '../values/convert.ts'
import { iterate } from '../values/iterate.ts'
import { define, getProperty, ownNames } from '../values/property.ts'
import { ArrayValue, isNullish, isObject, ObjectValue, Unknown, type Value } from '../values/value.ts'
import type { Assigner, Code, Evaluator } from './code.ts'
import { taintNode } from './effects.ts'
import { prepareExpression } from './expressions.ts'
import { prepareTarget } from './targets.ts'

/** Stores into one place of a pattern, with what stands in for undefined. */
function withDefault(assign: Assigner, fallback: ts.Expression | undefined, code: Code, name: ts.Node): Assigner {
  if (!fallback) return assign
  const evaluate = prepareNamed(fallback, code, name)
  return (frame, value) => {
    // Whether the default is evaluated is as unknown as the value.
    if (value instanceof Unknown) taintNode(code.session, fallback, code.scope, frame, value)
    assign(frame, value === undefined ? evaluate(frame) : value)
  }
}

/** `const {a, b: [c = 1], ...rest} = …`, and parameters: initialises the names that a binding pattern declares. */
export function prepareBinding(name: ts.BindingName, initializer: ts.Expression | undefined, code: Code): Assigner {
  return withDefault(bindingTarget(name, code), initializer, code, name)
}

function bindingTarget(name: ts.BindingName, code: Code): Assigner {
  if (ts.isIdentifier(name)) {
    const { slot } = code.scope.names.get(name.text)!
    return (frame, value) => {
      frame.slots[slot] = value
    }
  }
  if (ts.isArrayBindingPattern(name)) {
    const parts = name.elements.map((element): ArrayPart | undefined => {
      if (ts.isOmittedExpression(element)) return undefined
      return { assign: prepareBinding(element.name, element.initializer, code), rest: element.dotDotDotToken !== undefined }
    })
    return arrayPattern(code.session, name, parts)
  }
  const parts = name.elements.map((element): ObjectPart => {
    const key = element.dotDotDotToken ? undefined : prepareKey(element.propertyName ?? (element.name as ts.Identifier), code)
    return { assign: prepareBinding(element.name, element.initializer, code), key }
  })
  return objectPattern(code.session, name, parts)
}

/** `[a, b.c] = …` and `({a, b: c[0]} = …)`: stores into what already exists. */
export function prepareAssignmentPattern(pattern: ts.ArrayLiteralExpression | ts.ObjectLiteralExpression, code: Code): Assigner {
  const assignerOf = (target: ts.Expression): Assigner => {
    if (ts.isBinaryExpression(target) && target.operatorToken.kind === ts.SyntaxKind.EqualsToken) {
      return withDefault(prepareTarget(target.left, code), target.right, code, target.left)
    }
    return prepareTarget(target, code)
  }
  if (ts.isArrayLiteralExpression(pattern)) {
    const parts = pattern.elements.map((element): ArrayPart | undefined => {
      if (ts.isOmittedExpression(element)) return undefined
      const rest = ts.isSpreadElement(element)
      return { assign: assignerOf(rest ? element.expression : element), rest }
    })
    return arrayPattern(code.session, pattern, parts)
  }
  const parts = pattern.properties.map((property): ObjectPart => {
    if (ts.isSpreadAssignment(property)) return { assign: assignerOf(property.expression), key: undefined }
    if (ts.isPropertyAssignment(property))
      return { assign: assignerOf(property.initializer), key: prepareKey(property.name, code) }
    const { name, objectAssignmentInitializer } = property as ts.ShorthandPropertyAssignment
    const assign = withDefault(prepareTarget(name, code), objectAssignmentInitializer, code, name)
    return { assign, key: prepareKey(name, code) }
  })
  return objectPattern(code.session, pattern, parts)
}

interface ArrayPart {
  readonly assign: Assigner
  readonly rest: boolean
}

function arrayPattern(session: Session, node: ts.Node, parts: readonly (ArrayPart | undefined)[]): Assigner {
  return (frame, value) => {
    const elements = iterate(session, value, node)
    if (elements instanceof Unknown) {
      for (const part of parts) part?.assign(frame, elements)
      return
    }
    const steps = elements[Symbol.iterator]()
    let done = false
    const next = (): Value => {
      if (done) return undefined
      const step = steps.next()
      done = step.done === true
      return done ? undefined : step.value
    }
    for (const part of parts) {
      if (!part?.rest) {
        const element = next()
        part?.assign(frame, element)
        continue
      }
      const rest: Value[] = []
      for (let element = next(); !done; element = next()) rest.push(element)
      session.budget.elements(rest.length, rest.length)
      part.assign(frame, new ArrayValue(rest))
    }
  }
}

interface ObjectPart {
  readonly assign: Assigner
  /** Absent for the rest. */
  readonly key: Evaluator | undefined
}

function objectPattern(session: Session, node: ts.Node, parts: readonly ObjectPart[]): Assigner {
  return (frame, value) => {
    let source = value
    if (isNullish(source))
      source = languageError(session, node, 'TypeError', 'undefined-property', `Cannot destructure ${describeValue(source)}`)
    const taken = new Set<string>()
    for (const { assign, key } of parts) {
      if (source instanceof Unknown) {
        assign(frame, source)
      } else if (key) {
        const name = key(frame)
        if (!(name instanceof Unknown)) taken.add(toKey(session, name))
        assign(frame, getProperty(session, node, source, name))
      } else {
        assign(frame, copyRest(session, node, source, taken))
      }
    }
  }
}

function copyRest(session: Session, node: ts.Node, source: Value, taken: ReadonlySet<string>): Value {
  const rest = new ObjectValue()
  if (isObject(source)) {
    if (source.taint) return source.taint
    for (const name of ownNames(source))
      if (!taken.has(name)) define(session, rest, name, getProperty(session, node, source, name))
  } else if (typeof source === 'string') {
    for (let i = 0; i < source.length; i++) if (!taken.has(String(i))) define(session, rest, String(i), source[i])
  }
  return rest
}

/** The key of a property, evaluated when it is computed. */
export function prepareKey(name: ts.PropertyName, code: Code): Evaluator {
  if (ts.isComputedPropertyName(name)) return prepareExpression(name.expression, code)
  if (ts.isNumericLiteral(name)) {
    const text = String(Number(name.text))
    return () => text
  }
  if (ts.isBigIntLiteral(name)) {
    const text = String(BigInt(name.text.replace(/n$/, '')))
    return () => text
  }
  const { text } = name
  return () => text
}

/** An expression that gives its name to an anonymous function or class. */
export function prepareNamed(expression: ts.Expression, code: Code, name: ts.Node): Evaluator {
  return prepareExpression(
    expression,
    code,
    ts.isIdentifier(name) || ts.isStringLiteral(name) || ts.isPrivateIdentifier(name) ? name.text : undefined,
  )
}
