import { Abandoned, demand, languageError, mayThrow, type Session, unknown } from '../session.ts'
import type { ts } from '../syntax.ts'
import { describeValue } from '../values/convert.ts'
import { BuiltinFunction, isObject, Unknown, type Value } from '../values/value.ts'
import { constructClosure } from './construct.ts'
import { escape, taintNode } from './effects.ts'
import { Closure } from './functions.ts'
import { type Activation, Frame } from './scope.ts'

/** A call as it is written: `text` is the callee, for messages; `levels` the host frames from the caller's entry to the callee's. */
export interface Site {
  readonly node: ts.Node
  readonly text: string | undefined
  readonly levels: number
}

/** Host frames of a call itself: the prepared call, and the entry of the callee. */
export const hostFramesOfCall = 2
/** Host frames of a call through a built-in, a getter or a conversion, seen from wherever that was started. */
const indirect = 9

/** Host frames of a built-in, down to where it calls back. */
const framesOfBuiltin = 8

export const isPlainClosure = (callee: Value): callee is Closure =>
  callee instanceof Closure && !callee.isClass && !callee.refusal

/** `callee(…args)` with `this` as `self`. */
export function callAt(session: Session, callee: Value, self: Value, args: readonly Value[], site: Site): Value {
  const { node } = site
  if (callee instanceof Closure) {
    // Such a function runs all the same, up to where it waits.
    if (callee.refusal) return callUnknown(session, callee.refusal(), [callee, self, ...args], node)
    if (!callee.isClass) return enterClosure(session, callee, self, args, site)
    const message = `Class constructor ${callee.name} cannot be invoked without 'new'`
    return languageError(session, node, 'TypeError', 'not-a-function', message)
  }
  if (callee instanceof BuiltinFunction) return guarded(session, self, node, () => callee.invoke(session, self, args))
  if (callee instanceof Unknown) return callUnknown(session, callee, [self, ...args], node)
  if (isObject(callee) && callee.taint) return callee.taint
  return languageError(session, node, 'TypeError', 'not-a-function', `${site.text ?? describeValue(callee)} is not a function`)
}

/** A call that is not written as one: from a built-in, a getter, a conversion. */
export const callFunction = (session: Session, callee: Value, self: Value, args: readonly Value[], node: ts.Node): Value =>
  callAt(session, callee, self, args, { node, text: undefined, levels: indirect })

/** `new callee(…args)` */
export function construct(session: Session, callee: Value, args: readonly Value[], site: Site): Value {
  const { node } = site
  if (callee instanceof Closure && callee.isClass) return enterClosure(session, callee, undefined, args, site)
  if (callee instanceof BuiltinFunction && callee.construct) {
    const { construct: make } = callee
    return guarded(session, undefined, node, () => make(session, args))
  }
  if (callee instanceof Unknown) return callUnknown(session, callee, args, node)
  if (callee instanceof Closure && callee.constructible) {
    return unknown(session, node, 'unsupported-constructor', `${callee.name || 'a function'} is called with new, but is no class`)
  }
  return languageError(session, node, 'TypeError', 'not-a-function', `${site.text ?? describeValue(callee)} is not a constructor`)
}

/** Runs a function of the model's own, or constructs a class, between putting the call site on the chain and taking it off again. */
export function enterClosure(session: Session, callee: Closure, self: Value, args: readonly Value[], site: Site): Value {
  const { budget, calls, catchers } = session
  const depth = budget.depth()
  session.at = site.node
  budget.enter(site.levels)
  calls.push(site.node)
  try {
    if (callee.isClass) return constructClosure(session, callee, callee, args, site.node)
    const code = callee.code!
    const body = code.body()
    budget.spend(body.cost)
    const activation: Activation = code.isArrow ? callee.frame.activation : { self, home: callee.home, construction: undefined }
    const frame = new Frame(body.size, callee.frame, activation)
    body.enter(frame, args)
    return body.run(frame)
  } catch (error) {
    if (!(error instanceof Abandoned)) throw error
    taintNode(session, callee.syntax, callee.scope, callee.frame, error.cause)
    for (const value of [self, ...args]) escape(session, value, site.node, error.cause)
    return error.cause
  } finally {
    calls.pop()
    session.catchers = catchers
    budget.restore(depth)
  }
}

/** A built-in that depends on something unknown gives an unknown result, and leaves what it worked on unknown. */
function guarded(session: Session, self: Value, node: ts.Node, run: () => Value): Value {
  if (isObject(self) && self.taint) return self.taint
  session.at = node
  session.budget.spend(5)
  const depth = session.budget.depth()
  session.budget.enter(framesOfBuiltin)
  try {
    return run()
  } catch (error) {
    if (!(error instanceof Abandoned)) throw error
    if (isObject(self)) escape(session, self, node, error.cause)
    return error.cause
  } finally {
    session.budget.restore(depth)
  }
}

/** Code that cannot be read may do anything to what it is given. */
function callUnknown(session: Session, callee: Unknown, given: readonly Value[], node: ts.Node): Unknown {
  for (const value of given) escape(session, value, node, callee)
  if (session.building) demand(session, callee, node, 'it is called here while the model is built')
  return mayThrow(session, callee, node)
}
