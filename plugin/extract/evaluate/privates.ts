import { languageError, type Session } from '../session.ts'
import type { ts } from '../syntax.ts'
import { Accessor, isObject, type ObjectValue, type Property, Unknown, type Value } from '../values/value.ts'
import { Closure } from './functions.ts'
import { callFunction } from './invoke.ts'

/** What a private name holds when it is a method or an accessor; fields live in the instances. */
export class PrivateName {
  readonly text: string
  member: Property = undefined
  constructor(text: string) {
    this.text = text
  }
}

/** `object.#name` */
export function readPrivate(session: Session, node: ts.Node, target: Value, name: object): Value {
  if (target instanceof Unknown) return target
  const found = privateOf(target, name)
  if (found instanceof Accessor) return found.get === undefined ? undefined : callFunction(session, found.get, target, [], node)
  return found === missing ? noPrivate(session, node, name, 'read') : found
}

export function writePrivate(session: Session, node: ts.Node, target: Value, name: object, value: Value): void {
  if (target instanceof Unknown) return
  const found = privateOf(target, name)
  if (found === missing) noPrivate(session, node, name, 'write')
  else if (found instanceof Accessor && found.set !== undefined) callFunction(session, found.set, target, [value], node)
  else if (found instanceof Accessor || !(target as ObjectValue).privates?.has(name)) {
    languageError(session, node, 'TypeError', 'read-only', `'${(name as PrivateName).text}' cannot be assigned to`)
  } else (target as ObjectValue).privates!.set(name, value)
}

/** `#name in object` */
export function hasPrivate(session: Session, node: ts.Node, target: Value, name: object): Value {
  if (target instanceof Unknown) return target
  if (!isObject(target))
    return languageError(session, node, 'TypeError', 'bad-conversion', "Cannot use 'in' operator to search for a private name")
  return privateOf(target, name) !== missing
}

const missing: unique symbol = Symbol('missing')

function privateOf(target: Value, name: object): Property | typeof missing {
  if (!isObject(target) || !(name instanceof PrivateName)) return missing
  if (target.taint) return target.taint
  if (target.privates?.has(name)) return target.privates.get(name)
  return name.member !== undefined && ownsMethods(target, name) ? name.member : missing
}

/** Private methods belong to instances of the class that declares them. */
function ownsMethods(target: ObjectValue, name: PrivateName): boolean {
  const { member } = name
  const closure = member instanceof Accessor ? (member.get ?? member.set) : member
  const home = closure instanceof Closure ? closure.home : undefined
  for (let holder: ObjectValue | undefined = target; holder; holder = holder.prototype) if (holder === home) return true
  return false
}

const noPrivate = (session: Session, node: ts.Node, name: object, what: 'read' | 'write') =>
  languageError(
    session,
    node,
    'TypeError',
    'undefined-property',
    `Cannot ${what} private member ${'text' in name ? name.text : ''} ${what === 'read' ? 'from' : 'to'} an object whose class did not declare it`,
  )
