import { languageError, unknown } from '../session.ts'
import { ts } from '../syntax.ts'
import { toKey } from '../values/convert.ts'
import { getNamed, getProperty } from '../values/property.ts'
import { isNullish, isObject, Unknown, type Value } from '../values/value.ts'
import type { Code, Evaluator } from './code.ts'
import { taintNode } from './effects.ts'
import { prepareExpression } from './expressions.ts'
import { freeChain, replaced } from './names.ts'
import { readPrivate } from './privates.ts'
import { type Frame, uninitialised } from './scope.ts'
import { privateSlot } from './targets.ts'

export type Access = ts.PropertyAccessExpression | ts.ElementAccessExpression

/** Cuts the rest of an optional chain short. */
export const shortCut: unique symbol = Symbol('short cut')
/** Part of a chain: may say that the whole chain is undefined. */
export type Link = (frame: Frame) => Value | typeof shortCut

/** `a.b`, `a[b]` */
export function prepareAccess(node: Access, code: Code): Evaluator {
  const chain = freeChain(node, code)
  const definition = chain === undefined ? undefined : replaced(chain, node, code)
  if (definition) return definition
  if (ts.isMetaProperty(node.expression) && chain !== 'import.meta.url') {
    return () =>
      unknown(code.session, node, 'unknown-global', `the build does not know what ${node.getText()} is when the program runs`)
  }
  const link = prepareLink(node, code)
  if (!isInChain(node)) return link as Evaluator
  return (frame) => {
    const value = link(frame)
    return value === shortCut ? undefined : value
  }
}

const isInChain = (node: ts.Node) => (node.flags & ts.NodeFlags.OptionalChain) !== 0

/** An access or call within a chain; a short cut to its left goes through. */
export function prepareChainPart(node: ts.Expression, code: Code): Link {
  if (isInChain(node) && (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)))
    return prepareLink(node, code)
  return prepareExpression(node, code, undefined, true)
}

function prepareLink(node: Access, code: Code): Link {
  const { object, read } = prepareMember(node, code)
  return (frame) => {
    const target = object(frame)
    return target === shortCut ? shortCut : read(frame, target)
  }
}

/** An access in two steps, since a method call needs the object as `this`. */
export function prepareMember(node: Access, code: Code): { object: Link; read: (frame: Frame, target: Value) => Value } {
  const { session } = code
  const inner = node.expression
  if (inner.kind === ts.SyntaxKind.SuperKeyword) return superMember(node, code)
  const prepared = prepareChainPart(inner, code)
  const object: Link = node.questionDotToken
    ? (frame) => {
        const target = prepared(frame)
        return target !== shortCut && isNullish(target) ? shortCut : target
      }
    : prepared
  if (ts.isElementAccessExpression(node)) {
    const { argumentExpression } = node
    const key = prepareExpression(argumentExpression, code)
    return {
      object,
      read: (frame, target) => {
        if (target instanceof Unknown && node.questionDotToken) {
          taintNode(session, argumentExpression, code.scope, frame, target)
          return target
        }
        return getProperty(session, node, target, key(frame))
      },
    }
  }
  if (ts.isPrivateIdentifier(node.name)) {
    const name = privateSlot(node.name, code)
    return { object, read: (frame, target) => readPrivate(session, node, target, name(frame)) }
  }
  const key = node.name.text
  return {
    object,
    read: (_frame, target) => {
      if (isObject(target) || typeof target === 'string') return getNamed(session, node, target, key, target)
      return getProperty(session, node, target, key)
    },
  }
}

function superMember(node: Access, code: Code): { object: Link; read: (frame: Frame, target: Value) => Value } {
  const key = ts.isElementAccessExpression(node) ? prepareExpression(node.argumentExpression, code) : () => node.name.text
  return {
    object: selfOf(code, node),
    read: (frame, self) => {
      const parent = frame.activation.home?.prototype
      const name = key(frame)
      if (name instanceof Unknown) return name
      return parent ? getNamed(code.session, node, parent, toKey(code.session, name), self) : undefined
    },
  }
}

/** `this` */
export function selfOf(code: Code, node: ts.Node): Evaluator {
  return (frame) => {
    const { self } = frame.activation
    if (self !== uninitialised) return self
    const message = "Must call super constructor in derived class before accessing 'this' or returning from derived constructor"
    return languageError(code.session, node, 'ReferenceError', 'used-before-declaration', message)
  }
}
