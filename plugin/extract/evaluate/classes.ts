import { languageError, type Session, unknown } from '../session.ts'
import { hasModifier, ts } from '../syntax.ts'
import { toKey } from '../values/convert.ts'
import { define } from '../values/property.ts'
import { Accessor, BuiltinFunction, isObject, ObjectValue, Unknown, type Value } from '../values/value.ts'
import { type Code, type Evaluator, inScope } from './code.ts'
import { prototypeOf } from './construct.ts'
import { taintNode } from './effects.ts'
import { prepareExpression } from './expressions.ts'
import { Closure, type FunctionCode, makeClosure, prepareFunction } from './functions.ts'
import { withAccessor } from './literals.ts'
import { prepareKey } from './patterns.ts'
import { PrivateName } from './privates.ts'
import { createScope, declare, declareBlock, declareVars, Frame, initialiseVars } from './scope.ts'
import { prepareStatements } from './statements.ts'

type Definition = (frame: Frame, closure: Closure, fields: Field[]) => Unknown | undefined
/** A field, with its key evaluated; run for each instance with `this` being it. */
interface Field {
  readonly place: string | PrivateName
  readonly evaluate: Evaluator
}

/** A class: its methods once, its fields for each instance. */
export function prepareClass(node: ts.ClassLikeDeclaration, outer: Code, name: string): Evaluator {
  const { session } = outer
  const [decorator] = [node, ...node.members].flatMap((part) =>
    ts.canHaveDecorators(part) ? (ts.getDecorators(part) ?? []) : [],
  )
  if (decorator) {
    return (frame) => {
      const cause = unknown(session, decorator, 'unsupported-decorator', 'decorators run code when the program starts')
      taintNode(session, node, outer.scope, frame, cause)
      return cause
    }
  }
  const scope = createScope(outer.scope)
  const ownName = node.name?.text
  const inner = ownName === undefined ? undefined : declare(scope, ownName, 'const', node)
  const privates = node.members.flatMap(({ name: key }) =>
    key && ts.isPrivateIdentifier(key) ? [declare(scope, key.text, 'private', key)] : [],
  )
  const code = inScope(outer, scope)
  const heritage = node.heritageClauses?.find((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword)?.types[0]
  const parent = heritage && prepareExpression(heritage.expression, code)
  const constructorSyntax = node.members.find(
    (member): member is ts.ConstructorDeclaration => ts.isConstructorDeclaration(member) && member.body !== undefined,
  )
  const constructorCode = constructorSyntax && prepareFunction(constructorSyntax, code, ownName ?? name)
  const definitions = node.members.flatMap((member) => prepareMemberOf(member, code) ?? [])
  return (frame) => {
    session.budget.spend(30 + 5 * definitions.length)
    const around = new Frame(scope.names.size, frame, frame.activation)
    for (const { slot, node: key } of privates) around.slots[slot] = new PrivateName((key as ts.PrivateIdentifier).text)
    const base = parent?.(around)
    const refusal = heritage && refuseBase(session, base, heritage)
    if (refusal) return refusal
    const closure = makeClass(node, ownName ?? name, code, around, constructorCode, base)
    if (inner) around.slots[inner.slot] = closure
    const fields: Field[] = []
    let unknownPart: Unknown | undefined
    for (const add of definitions) unknownPart = add(around, closure, fields) ?? unknownPart
    closure.initialise = (_session, instance) => fillFields(session, fields, around, instance, prototypeOf(closure))
    return unknownPart ?? closure
  }
}

/** Whether a class cannot extend `base`, and why. */
function refuseBase(session: Session, base: Value, node: ts.Node): Unknown | undefined {
  if (base instanceof Unknown) return base
  if (base === null || (base instanceof Closure && base.isClass) || (base instanceof BuiltinFunction && base.instancePrototype))
    return undefined
  if (base instanceof BuiltinFunction || base instanceof Closure) {
    return unknown(session, node, 'unsupported-extends', `the build does not read classes that extend ${base.name}`)
  }
  const error = languageError(session, node, 'TypeError', 'not-a-function', 'Class extends value is not a constructor or null')
  return error
}

function makeClass(
  node: ts.ClassLikeDeclaration,
  name: string,
  code: Code,
  frame: Frame,
  constructor: FunctionCode | undefined,
  base: Value,
): Closure {
  const inherited = base instanceof BuiltinFunction ? base.instancePrototype : isObject(base) ? prototypeOf(base) : undefined
  const prototype = new ObjectValue(inherited)
  const closure = new Closure(name, constructor?.length ?? 0, node, code.scope, frame, constructor, prototype)
  if (isObject(base)) closure.prototype = base
  closure.properties.set('prototype', prototype)
  closure.hidden = new Set(['prototype'])
  prototype.properties.set('constructor', closure)
  prototype.hidden = new Set(['constructor'])
  return closure
}

function prepareMemberOf(member: ts.ClassElement, code: Code): Definition | undefined {
  const isStatic = hasModifier(member, ts.SyntaxKind.StaticKeyword)
  if (ts.isClassStaticBlockDeclaration(member)) return prepareStaticBlock(member, code)
  if (ts.isPropertyDeclaration(member)) {
    if (hasModifier(member, ts.SyntaxKind.DeclareKeyword) || hasModifier(member, ts.SyntaxKind.AbstractKeyword)) return undefined
    return prepareField(member, isStatic, code)
  }
  if ((ts.isMethodDeclaration(member) || ts.isAccessor(member)) && member.body) return prepareMethod(member, isStatic, code)
  return undefined
}

function prepareField(member: ts.PropertyDeclaration, isStatic: boolean, code: Code): Definition {
  const { session } = code
  const { name } = member
  const key = ts.isPrivateIdentifier(name) ? undefined : prepareKey(name, code)
  const label = ts.isIdentifier(name) || ts.isPrivateIdentifier(name) ? name.text : undefined
  const inner = { ...inScope(code, createScope(code.scope)), unit: { nodes: 0, level: 0 } }
  const evaluate: Evaluator = member.initializer ? prepareExpression(member.initializer, inner, label) : () => undefined
  return (frame, closure, fields) => {
    const place = key ? key(frame) : (frame.slots[code.scope.names.get(name.getText())!.slot] as object)
    if (place instanceof Unknown) return place
    const field: Field = { place: place instanceof PrivateName ? place : toKey(session, place as Value), evaluate }
    if (isStatic) fillFields(session, [field], frame, closure, closure)
    else fields.push(field)
    return undefined
  }
}

function fillFields(
  session: Session,
  fields: readonly Field[],
  frame: Frame,
  instance: ObjectValue,
  home: ObjectValue | undefined,
): void {
  for (const { place, evaluate } of fields) {
    session.budget.spend(1)
    const value = evaluate(new Frame(0, frame, { self: instance, home, construction: undefined }))
    if (place instanceof PrivateName) {
      instance.privates ??= new Map()
      instance.privates.set(place, value)
    } else define(session, instance, place, value)
  }
}

function prepareMethod(member: ts.MethodDeclaration | ts.AccessorDeclaration, isStatic: boolean, code: Code): Definition {
  const { session } = code
  const { name } = member
  const key = ts.isPrivateIdentifier(name) ? undefined : prepareKey(name, code)
  const label = ts.isComputedPropertyName(name) ? '' : name.getText()
  const method = prepareFunction(member, code, label)
  return (frame, closure) => {
    const holder = isStatic ? closure : prototypeOf(closure)!
    if (!key) {
      const place = frame.slots[code.scope.names.get(name.getText())!.slot] as PrivateName
      const made = makeClosure(method, frame, holder)
      const known = place.member instanceof Accessor ? place.member : undefined
      if (ts.isMethodDeclaration(member)) place.member = made
      else place.member = ts.isGetAccessor(member) ? new Accessor(made, known?.set) : new Accessor(known?.get, made)
      return undefined
    }
    const computed = key(frame)
    if (computed instanceof Unknown) return computed
    const text = toKey(session, computed)
    const made = makeClosure(method, frame, holder, text)
    const property = ts.isMethodDeclaration(member) ? made : withAccessor(holder, text, member, made)
    define(session, holder, text, property)
    holder.hidden = (holder.hidden ?? new Set()).add(text)
    return undefined
  }
}

function prepareStaticBlock(member: ts.ClassStaticBlockDeclaration, outer: Code): Definition {
  const scope = createScope(outer.scope)
  declareVars(scope, member.body)
  declareBlock(scope, member.body.statements)
  const run = prepareStatements(member.body.statements, inScope(outer, scope))
  return (frame, closure) => {
    const inner = new Frame(scope.names.size, frame, { self: closure, home: closure, construction: undefined })
    initialiseVars(scope, inner)
    run(inner)
    return undefined
  }
}
