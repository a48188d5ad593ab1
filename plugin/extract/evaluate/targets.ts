import { languageError, unknown } from '../session.ts'
import { ts, unwrap } from '../syntax.ts'
import { deleteProperty, getNamed, getProperty, setProperty } from '../values/property.ts'
import { isNullish, Unknown, type Value } from '../values/value.ts'
import { selfOf } from './access.ts'
import type { Assigner, Code, Evaluator } from './code.ts'
import { prepareExpression } from './expressions.ts'
import { prepareIdentifier, prepareVariableTarget } from './names.ts'
import { prepareAssignmentPattern } from './patterns.ts'
import { readPrivate, writePrivate } from './privates.ts'
import { type Frame, frameAt, resolveName } from './scope.ts'

/** Where `x.y += 1` reads and writes: the object and the key are evaluated once. */
export interface Reference {
  readonly read: (frame: Frame, place: Place) => Value
  readonly write: (frame: Frame, place: Place, value: Value) => void
  readonly locate: (frame: Frame) => Place
}

export interface Place {
  readonly object: Value
  readonly key: Value
}

const nowhere: Place = { object: undefined, key: undefined }

export function prepareReference(target: ts.Expression, code: Code): Reference {
  const { session } = code
  const node = unwrap(target)
  if (ts.isIdentifier(node)) {
    const read = prepareIdentifier(node, code)
    const write = prepareVariableTarget(node, code)
    return { locate: () => nowhere, read: (frame) => read(frame), write: (frame, _place, value) => write(frame, value) }
  }
  if (ts.isPropertyAccessExpression(node) && ts.isPrivateIdentifier(node.name)) {
    const object = prepareExpression(node.expression, code)
    const name = privateSlot(node.name, code)
    return {
      locate: (frame) => ({ object: object(frame), key: undefined }),
      read: (frame, { object: target }) => readPrivate(session, node, target, name(frame)),
      write: (frame, { object: target }, value) => writePrivate(session, node, target, name(frame), value),
    }
  }
  if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) {
    const key = ts.isPropertyAccessExpression(node)
      ? () => (node.name as ts.Identifier).text
      : prepareExpression(node.argumentExpression, code)
    if (node.expression.kind === ts.SyntaxKind.SuperKeyword) {
      return {
        locate: (frame) => ({ object: selfOf(code, node)(frame), key: key(frame) }),
        read: (frame, place) => {
          const parent = frame.activation.home?.prototype
          return parent && typeof place.key === 'string' ? getNamed(session, node, parent, place.key, place.object) : undefined
        },
        write: (_frame, place, value) => setProperty(session, node, place.object, place.key, value),
      }
    }
    const object = prepareExpression(node.expression, code)
    return {
      locate: (frame) => ({ object: object(frame), key: key(frame) }),
      read: (_frame, place) => getProperty(session, node, place.object, place.key),
      write: (_frame, place, value) => setProperty(session, node, place.object, place.key, value),
    }
  }
  const refuse = () => unknown(session, node, 'unsupported-syntax', 'the build does not read this kind of assignment')
  return { locate: () => nowhere, read: refuse, write: refuse }
}

/** The left side of `=`, of patterns and of loops. */
export function prepareTarget(target: ts.Expression, code: Code): Assigner {
  const node = unwrap(target)
  if (ts.isIdentifier(node)) return prepareVariableTarget(node, code)
  if (ts.isArrayLiteralExpression(node) || ts.isObjectLiteralExpression(node)) return prepareAssignmentPattern(node, code)
  const { locate, write } = prepareReference(node, code)
  return (frame, value) => write(frame, locate(frame), value)
}

/** The identity of `#name` in the class that the code stands in. */
export function privateSlot(name: ts.PrivateIdentifier, code: Code): (frame: Frame) => object {
  const found = resolveName(code.scope, name.text)
  if (!found) return () => name
  return (frame) => frameAt(frame, found.hops).slots[found.binding.slot] as object
}

export function prepareDelete(node: ts.DeleteExpression, code: Code): Evaluator {
  const { session } = code
  const target = unwrap(node.expression)
  if (ts.isPropertyAccessExpression(target) || ts.isElementAccessExpression(target)) {
    const object = prepareExpression(target.expression, code)
    const key = ts.isPropertyAccessExpression(target)
      ? () => target.name.text
      : prepareExpression(target.argumentExpression, code)
    return (frame) => {
      const holder = object(frame)
      if (target.questionDotToken && isNullish(holder)) return true
      if (holder instanceof Unknown) return holder
      return deleteProperty(session, node, holder, key(frame))
    }
  }
  return () => languageError(session, node, 'SyntaxError', 'unsupported-syntax', 'delete takes a property')
}
