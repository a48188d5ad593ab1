import { ts } from '../syntax.ts'
import { define } from '../values/property.ts'
import { ObjectValue, Unknown, type Value } from '../values/value.ts'
import { type Code, inScope, type Runner } from './code.ts'
import { prepareExpression } from './expressions.ts'
import { createScope, declare, Frame, uninitialised } from './scope.ts'

/** `enum E { A, B = 4, C = 'c' }`: an object, with the names of numeric members under their numbers; declared again, it grows. */
export function prepareEnum(node: ts.EnumDeclaration, outer: Code): Runner {
  const { session } = outer
  const scope = createScope(outer.scope)
  const members = node.members.map((member) => ({
    name: ts.isComputedPropertyName(member.name) ? '' : member.name.text,
    binding: declare(scope, ts.isComputedPropertyName(member.name) ? '' : member.name.text, 'const', member),
    evaluate: member.initializer && prepareExpression(member.initializer, inScope(outer, scope)),
  }))
  const { slot } = outer.scope.names.get(node.name.text)!
  return (frame) => {
    const known = frame.slots[slot]
    const object = known instanceof ObjectValue ? known : new ObjectValue()
    frame.slots[slot] = object
    const inner = new Frame(scope.names.size, frame, frame.activation)
    let next: Value = 0
    for (const { name, binding, evaluate } of members) {
      const value: Value = evaluate ? evaluate(inner) : next
      if (inner.slots[binding.slot] === uninitialised) inner.slots[binding.slot] = value
      define(session, object, name, value)
      if (typeof value === 'number') define(session, object, String(value), name)
      next = typeof value === 'number' ? value + 1 : value instanceof Unknown ? value : undefined
    }
    return undefined
  }
}
