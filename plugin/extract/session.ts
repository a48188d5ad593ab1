import type { DiagnosticCode } from '../../compiler/diagnostics/catalogue.ts'
import { createDiagnostic, type Diagnostic, type Note } from '../../compiler/diagnostics/diagnostic.ts'
import type { Span } from '../../compiler/graph/index.ts'
import { type Budget, createBudget } from './budget.ts'
import { spanOfRange, type ts } from './syntax.ts'
import { type ErrorName, makeError } from './values/error.ts'
import { type HostValue, type ObjectValue, Unknown, type Value } from './values/value.ts'

/** An exception of the model's own code on its way up. */
export class Thrown {
  readonly value: Value
  /** What to tell when nobody catches it. */
  readonly diagnostic: Diagnostic
  constructor(value: Value, diagnostic: Diagnostic) {
    this.value = value
    this.diagnostic = diagnostic
  }
}

/** Control flow that depends on an unknown value: the running function, or statement of a module, cannot be followed further. */
export class Abandoned {
  readonly cause: Unknown
  constructor(cause: Unknown) {
    this.cause = cause
  }
}

/** Everything that one extraction shares: where it stands, what it has spent, what it has found wrong. */
export interface Session {
  /** Name of a file in messages: relative to the root, with forward slashes. */
  readonly nameOf: (file: string) => string
  readonly define: ReadonlyMap<string, string>
  readonly budget: Budget
  readonly diagnostics: Diagnostic[]
  /** What is in the list already: code, place and message. */
  readonly told: Set<string>
  /** Call sites of the model's own functions, outermost first. */
  readonly calls: ts.Node[]
  /** What is being evaluated; blamed where nothing more precise is known. */
  at: ts.Node
  /** Whether a model is being built, so that mistakes count at once; elsewhere they count when a model depends on them. */
  building: boolean
  /** For which sizes of its dimensions, as `seq = 31`, where it was built for others before. */
  sizes: string | undefined
  /** `try` statements around the code that runs. */
  catchers: number
  /** Objects of `import * as`, by what they show. */
  readonly namespaces: Map<object, ObjectValue>
  /** Values of the DSL and of the model file that stand for each other. */
  readonly wrapped: WeakMap<object, ObjectValue>
  readonly models: ModelCall[]
  readonly weights: WeightsCall[]
  /** Files that `weights()` was given, for whoever watches them. */
  readonly weightFiles: Set<string>
}

/** One evaluated call of `model()`. */
export interface ModelCall {
  readonly value: HostValue
  /** What it was given. */
  readonly spec: Value
  readonly node: ts.Node
}

/** One evaluated call of `weights()`. */
export interface WeightsCall {
  readonly value: HostValue
  readonly node: ts.Node
}

export function createSession(
  nameOf: (file: string) => string,
  define: Readonly<Record<string, string>>,
  start: ts.Node,
): Session {
  const session: Session = {
    nameOf,
    define: new Map(Object.entries(define)),
    budget: createBudget(() => session),
    diagnostics: [],
    told: new Set(),
    calls: [],
    at: start,
    building: false,
    sizes: undefined,
    catchers: 0,
    namespaces: new Map(),
    wrapped: new WeakMap(),
    models: [],
    weights: [],
    weightFiles: new Set(),
  }
  return session
}

const spans = new WeakMap<ts.Node, Span>()

export function spanOf(session: Session, node: ts.Node): Span {
  let span = spans.get(node)
  if (!span) {
    const source = node.getSourceFile()
    span = spanOfRange(source, session.nameOf(source.fileName), node.getStart(source), node.getEnd())
    spans.set(node, span)
  }
  return span
}

/** The helper calls that led to where the session stands, innermost first. That of `forward` itself is nobody's. */
export const callChain = (session: Session): Span[] =>
  session.calls
    .slice(session.building ? 1 : 0)
    .map((call) => spanOf(session, call))
    .reverse()

const shownCalls = 8

/** Notes for a chain of calls; a recursion is told once, with how often it turned. */
function chainNotes(session: Session): Note[] {
  const steps: { span: Span; turns: number }[] = []
  for (const span of callChain(session)) {
    const last = steps.at(-1)
    if (last?.span === span) last.turns++
    else steps.push({ span, turns: 1 })
  }
  const notes: Note[] = steps.slice(0, shownCalls).map(({ span, turns }) => ({
    message: turns === 1 ? 'called from here' : `called from here, ${turns} times within itself`,
    span,
  }))
  if (steps.length > shownCalls) notes.push({ message: `and ${steps.length - shownCalls} more calls` })
  return notes
}

/** A diagnostic at a node, with the chain of calls that led there. */
export function diagnosticAt(session: Session, node: ts.Node, code: DiagnosticCode, message: string, help?: string): Diagnostic {
  const { sizes } = session
  const asked = sizes === undefined ? [] : [{ message: `at ${sizes}: requests may have any size up to the largest` }]
  const notes = [...chainNotes(session), ...asked]
  return createDiagnostic(code, message, { span: spanOf(session, node), notes, ...(help && { help }) })
}

/** Nobody reads more; a loop that makes mistakes makes many. */
const maximumDiagnostics = 100

export function report(session: Session, diagnostic: Diagnostic): void {
  const { span } = diagnostic
  const key = `${diagnostic.code} ${span?.file}:${span?.line}:${span?.column} ${diagnostic.message}`
  if (session.told.has(key) || session.diagnostics.length >= maximumDiagnostics) return
  session.told.add(key)
  session.diagnostics.push(diagnostic)
}

/** A value that cannot be known because of what stands at `node`. Counts as an error once a model depends on it. */
export function unknown(session: Session, node: ts.Node, code: DiagnosticCode, message: string, help?: string): Unknown {
  session.budget.spend(throwCost)
  return new Unknown(diagnosticAt(session, node, code, message, help))
}

/** A mistake that was found while building a model: told now, and silent from here on. */
export function poison(session: Session, diagnostic: Diagnostic): Unknown {
  report(session, diagnostic)
  const result = new Unknown(diagnostic)
  result.reported = true
  return result
}

/** The model depends on an unknown value: tell why it is unknown, and where it is needed. */
export function demand(session: Session, value: Unknown, node: ts.Node, need: string): void {
  if (value.reported) return
  value.reported = true
  const span = spanOf(session, node)
  const { diagnostic } = value
  const here = diagnostic.span?.file === span.file && diagnostic.span.line === span.line
  report(session, here ? diagnostic : { ...diagnostic, notes: [{ message: need, span }, ...diagnostic.notes] })
}

/** A condition, a key or a count that must be known to go on. */
export function abandon(session: Session, cause: Unknown, node: ts.Node, need: string): never {
  if (session.building) demand(session, cause, node, need)
  throw new Abandoned(cause)
}

/** What is done with an unknown value may end in an exception, and so in the handler around it; without one, in no program at all. */
export function mayThrow(session: Session, cause: Unknown, node: ts.Node): Unknown {
  return session.catchers > 0 ? abandon(session, cause, node, 'what happens here depends on it') : cause
}

/** Steps that an exception, or a diagnostic, is worth: both take the host much longer than evaluating a node. */
export const throwCost = 100

/**
 * What the language answers with an exception. It is thrown where the model's own code could catch it; otherwise nobody would see
 * more than the first one, so it is told and the result is unknown.
 */
export function languageError(
  session: Session,
  node: ts.Node,
  name: ErrorName,
  code: DiagnosticCode,
  message: string,
  help?: string,
): Unknown {
  session.budget.spend(throwCost)
  const diagnostic = diagnosticAt(session, node, code, message, help)
  if (session.catchers > 0) throw new Thrown(makeError(name, message), diagnostic)
  return session.building ? poison(session, diagnostic) : new Unknown(diagnostic)
}
