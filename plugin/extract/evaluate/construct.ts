import { abandon, languageError, type Session, unknown } from '../session.ts'
import type { ts } from '../syntax.ts'
import { toText } from '../values/convert.ts'
import { initialiseError } from '../values/error.ts'
import { define, getProperty } from '../values/property.ts'
import { ErrorValue, isObject, ObjectValue, Unknown, type Value } from '../values/value.ts'
import { prepareArguments } from './calls.ts'
import type { Code, Evaluator } from './code.ts'
import { Closure } from './functions.ts'
import { Frame, uninitialised } from './scope.ts'

/** What `class.prototype` holds. */
export const prototypeOf = (closure: ObjectValue): ObjectValue | undefined => {
  const prototype = closure.properties.get('prototype')
  return prototype instanceof ObjectValue ? prototype : undefined
}

/** `new target(…)`, at the level of one class of the chain. */
export function constructClosure(
  session: Session,
  closure: Closure,
  target: Closure,
  args: readonly Value[],
  node: ts.Node,
): Value {
  const derived = closure.prototype !== undefined
  const instance = derived ? uninitialised : new ObjectValue(prototypeOf(target))
  if (!closure.code) {
    const made = instance === uninitialised ? constructBase(session, closure, target, args, node) : instance
    if (isObject(made)) closure.initialise?.(session, made)
    return made
  }
  const body = closure.code.body()
  session.budget.spend(body.cost)
  const activation = {
    self: instance as Value | typeof uninitialised,
    home: closure.home,
    construction: { constructor: closure, target },
  }
  const frame = new Frame(body.size, closure.frame, activation)
  if (instance !== uninitialised && body.properties.length === 0) closure.initialise?.(session, instance)
  body.enter(frame, args)
  if (instance !== uninitialised && body.properties.length > 0) initialiseAfterParameters(session, closure, frame, instance)
  const result = body.run(frame)
  if (isObject(result) || result instanceof Unknown) return result
  if (activation.self !== uninitialised) return activation.self
  const message = "Must call super constructor in derived class before accessing 'this' or returning from derived constructor"
  return languageError(session, node, 'ReferenceError', 'used-before-declaration', message)
}

/** What `super(…)` makes, without the fields of the class that calls it. */
function constructBase(session: Session, closure: Closure, target: Closure, args: readonly Value[], node: ts.Node): Value {
  const base = closure.prototype
  if (!(base instanceof Closure)) return makeBuiltin(session, target, args, node)
  session.budget.enter(4)
  return constructClosure(session, base, target, args, node)
}

/** The one family of built-in classes that can be extended: errors. */
function makeBuiltin(session: Session, target: Closure, args: readonly Value[], node: ts.Node): ObjectValue {
  const error = new ErrorValue(prototypeOf(target))
  const [message, options] = args
  if (message instanceof Unknown) abandon(session, message, node, 'its value is needed here')
  const cause =
    isObject(options) && options.properties.has('cause') ? { value: getProperty(session, node, options, 'cause') } : undefined
  initialiseError(error, message === undefined ? undefined : toText(session, message), cause)
  return error
}

/** `constructor(private readonly x: number)`: parameters that are fields come before the other fields. */
function initialiseAfterParameters(session: Session, closure: Closure, frame: Frame, instance: ObjectValue): void {
  for (const { name, slot } of closure.code!.body().properties) define(session, instance, name, frame.slots[slot] as Value)
  closure.initialise?.(session, instance)
}

/** `super(…)` */
export function prepareSuperCall(node: ts.CallExpression, code: Code): Evaluator {
  const { session } = code
  const args = prepareArguments(node.arguments, code)
  return (frame) => {
    const { activation } = frame
    const list = args(frame)
    const { construction } = activation
    if (!construction) return unknown(session, node, 'unsupported-syntax', 'super() stands outside a constructor')
    if (list instanceof Unknown) return abandon(session, list, node, 'it is spread into the arguments here')
    if (activation.self !== uninitialised) {
      return languageError(
        session,
        node,
        'ReferenceError',
        'used-before-declaration',
        'Super constructor may only be called once',
      )
    }
    const instance = constructBase(session, construction.constructor, construction.target, list, node)
    activation.self = instance
    const holder = constructorFrame(frame, construction.constructor)
    if (isObject(instance) && holder) initialiseAfterParameters(session, construction.constructor, holder, instance)
    return undefined
  }
}

/** The frame that holds the constructor's parameters: the outermost one with its activation. */
function constructorFrame(frame: Frame, constructor: Closure): Frame | undefined {
  let at: Frame | undefined = frame
  while (at && at.parent !== constructor.frame) at = at.parent
  return at
}
