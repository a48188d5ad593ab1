import { type Session, unknown } from '../session.ts'
import { boundNames, hasModifier, ts } from '../syntax.ts'
import { ArrayValue, FunctionValue, type ObjectValue, type Unknown, type Value } from '../values/value.ts'
import type { Code, Evaluator, Unit } from './code.ts'
import { prepareExpression } from './expressions.ts'
import { prepareBinding } from './patterns.ts'
import { createScope, declare, declareBlock, declareVars, type Frame, initialiseVars, type Scope } from './scope.ts'
import { prepareStatements } from './statements.ts'

export type FunctionSyntax =
  | ts.FunctionDeclaration
  | ts.FunctionExpression
  | ts.ArrowFunction
  | ts.MethodDeclaration
  | ts.AccessorDeclaration
  | ts.ConstructorDeclaration

/** A function with its code prepared at the first call. */
export interface FunctionCode {
  readonly syntax: FunctionSyntax
  readonly name: string
  readonly length: number
  readonly scope: Scope
  readonly isArrow: boolean
  /** Why it cannot be called, for forms outside the subset. */
  readonly refusal: (() => Unknown) | undefined
  body(): PreparedBody
}

interface PreparedBody {
  readonly size: number
  readonly cost: number
  readonly enter: (frame: Frame, args: readonly Value[]) => void
  readonly run: Evaluator
  /** Parameters of a constructor that are fields as well. */
  readonly properties: readonly { readonly name: string; readonly slot: number }[]
}

/** A function or class of the model's own, together with what it closes over. */
export class Closure extends FunctionValue {
  readonly syntax: ts.Node
  readonly scope: Scope
  readonly frame: Frame
  /** Absent in a class without a constructor of its own. */
  readonly code: FunctionCode | undefined
  readonly home: ObjectValue | undefined
  /** Gives a new instance its fields; only classes have it. */
  initialise: ((session: Session, instance: ObjectValue) => void) | undefined
  readonly isClass: boolean
  constructor(
    name: string,
    length: number,
    syntax: ts.Node,
    scope: Scope,
    frame: Frame,
    code: FunctionCode | undefined,
    home?: ObjectValue,
  ) {
    super(name, length)
    this.syntax = syntax
    this.scope = scope
    this.frame = frame
    this.code = code
    this.home = home
    this.isClass = ts.isClassLike(syntax)
  }
  get refusal(): (() => Unknown) | undefined {
    return this.code?.refusal
  }
  /** Whether the language would let `new` be applied, classes aside. */
  get constructible(): boolean {
    return ts.isFunctionDeclaration(this.syntax) || ts.isFunctionExpression(this.syntax)
  }
}

export const makeClosure = (code: FunctionCode, frame: Frame, home?: ObjectValue, name = code.name): Closure =>
  new Closure(name, code.length, code.syntax, code.scope, frame, code, home)

/** Makes a function of its syntax. Its body is prepared when it is first called, so what is never called costs nothing. */
export function prepareFunction(syntax: FunctionSyntax, code: Code, name: string): FunctionCode {
  const required = syntax.parameters.filter((parameter) => !isThis(parameter))
  const optional = required.findIndex((parameter) => parameter.initializer || parameter.dotDotDotToken)
  let prepared: PreparedBody | undefined
  return {
    syntax,
    name,
    length: optional < 0 ? required.length : optional,
    scope: code.scope,
    isArrow: ts.isArrowFunction(syntax),
    refusal: refusalOf(syntax, code.session, name),
    body: () => (prepared ??= prepareBody(syntax, code)),
  }
}

const isThis = (parameter: ts.ParameterDeclaration) => ts.isIdentifier(parameter.name) && parameter.name.text === 'this'

function refusalOf(syntax: FunctionSyntax, session: Session, name: string): (() => Unknown) | undefined {
  const called = name ? `${name}()` : 'the function'
  if ('asteriskToken' in syntax && syntax.asteriskToken) {
    return () => unknown(session, syntax.asteriskToken!, 'unsupported-generator', `${called} is a generator`)
  }
  if (!hasModifier(syntax, ts.SyntaxKind.AsyncKeyword)) return undefined
  const keyword = ts.canHaveModifiers(syntax)
    ? ts.getModifiers(syntax)!.find((m) => m.kind === ts.SyntaxKind.AsyncKeyword)!
    : syntax
  return () => unknown(session, keyword, 'unsupported-async', `${called} is async`)
}

function prepareBody(syntax: FunctionSyntax, outer: Code): PreparedBody {
  const scope = createScope(outer.scope)
  const unit: Unit = { nodes: 0, level: 0 }
  const code: Code = { ...outer, scope, unit, labels: [] }
  const parameters = syntax.parameters.filter((parameter) => !isThis(parameter))
  for (const parameter of parameters) for (const name of boundNames(parameter.name)) declare(scope, name.text, 'parameter', name)
  const body = syntax.body
  if (body && ts.isBlock(body)) {
    declareVars(scope, body)
    declareBlock(scope, body.statements)
  }
  const bind = prepareParameters(parameters, code)
  const run = prepareRun(body, code)
  const hasVars = [...scope.names.values()].some(({ kind }) => kind === 'var')
  return {
    size: scope.names.size,
    cost: unit.nodes + 3,
    properties: parameters
      .filter((parameter) => ts.isParameterPropertyDeclaration(parameter, syntax))
      .map(({ name }) => ({ name: name.getText(), slot: scope.names.get(name.getText())!.slot })),
    run,
    enter: hasVars
      ? (frame, args) => {
          bind(frame, args)
          initialiseVars(scope, frame)
        }
      : bind,
  }
}

function prepareRun(body: ts.ConciseBody | undefined, code: Code): Evaluator {
  if (!body) return () => undefined
  if (!ts.isBlock(body)) return prepareExpression(body, code)
  const run = prepareStatements(body.statements, code)
  return (frame) => run(frame)?.value
}

function prepareParameters(
  parameters: readonly ts.ParameterDeclaration[],
  code: Code,
): (frame: Frame, args: readonly Value[]) => void {
  const slots = parameters.map((parameter) => {
    const plain = ts.isIdentifier(parameter.name) && !parameter.initializer && !parameter.dotDotDotToken
    return plain ? code.scope.names.get((parameter.name as ts.Identifier).text)!.slot : -1
  })
  if (!slots.includes(-1)) {
    return (frame, args) => {
      for (let i = 0; i < slots.length; i++) frame.slots[slots[i]!] = args[i]
    }
  }
  const binders = parameters.map((parameter, i) => {
    const bind = prepareBinding(parameter.name, parameter.initializer, code)
    if (!parameter.dotDotDotToken) return (frame: Frame, args: readonly Value[]) => bind(frame, args[i])
    return (frame: Frame, args: readonly Value[]) => bind(frame, new ArrayValue(args.slice(i)))
  })
  return (frame, args) => {
    for (const bind of binders) bind(frame, args)
  }
}
