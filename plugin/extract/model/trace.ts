import { createDiagnostic } from '../../../compiler/diagnostics/diagnostic.ts'
import type { Location, ModelGraph } from '../../../compiler/graph/index.ts'
import { specOf } from '../../../dsl/model.ts'
import { buildModel, type SpecProblem } from '../../../dsl/trace.ts'
import { literalOf } from '../evaluate/literals.ts'
import { Abandoned, callChain, demand, diagnosticAt, type ModelCall, report, type Session, spanOf, Thrown } from '../session.ts'
import { ts, unwrap } from '../syntax.ts'
import { isObject, type Value } from '../values/value.ts'
import { Poisoned } from './host.ts'

/** Builds the graphs of one model by evaluating each `forward`. Problems are reported; without a model there is at least one error. */
export function traceModelCall(session: Session, call: ModelCall): ModelGraph | undefined {
  const start = () => {
    session.catchers = 0
    session.calls.length = 0
    session.at = call.node
  }
  session.building = true
  start()
  try {
    const { model, problems } = buildModel(specOf(call.value.host), {
      location: createLocator(session),
      run(forward, again) {
        // What is wrong at the first sizes is told once.
        if (again !== undefined && session.diagnostics.some(({ severity }) => severity === 'error')) return undefined
        session.sizes = again
        start()
        try {
          return { returned: forward() }
        } catch (error) {
          if (error instanceof Thrown) report(session, error.diagnostic)
          else if (error instanceof Abandoned) demand(session, error.cause, call.node, 'the model depends on it')
          else if (!(error instanceof Poisoned)) throw error
          return undefined
        }
      },
    })
    for (const problem of problems) report(session, locate(session, problem, call))
    return model
  } finally {
    session.building = false
    session.sizes = undefined
  }
}

/** Where the session stands. One operation asks several times, and is to get one and the same answer. */
function createLocator(session: Session): () => Location {
  let last: { readonly at: ts.Node; readonly calls: readonly ts.Node[]; readonly location: Location } | undefined
  return () => {
    const { at, calls } = session
    const isSame = last?.at === at && last.calls.length === calls.length && last.calls.every((call, i) => call === calls[i])
    if (last && isSame) return last.location
    const location: Location = { kind: 'source', span: spanOf(session, at), calls: callChain(session) }
    last = { at, calls: [...calls], location }
    return location
  }
}

function locate(session: Session, { problem, path, locations = [], help }: SpecProblem, call: ModelCall) {
  const place = locations.find((location) => location.kind === 'source')
  if (place?.kind === 'source') {
    const notes = place.calls.map((span) => ({ message: 'called from here', span }))
    return createDiagnostic(problem.code, problem.message, { span: place.span, notes, ...(help && { help }) })
  }
  return diagnosticAt(session, nodeOf(call.spec, path, call.node), problem.code, problem.message)
}

/** The syntax of a part of what `model()` was given: as near as it can be found. */
function nodeOf(spec: Value, path: readonly string[], fallback: ts.Node): ts.Node {
  let literal = isObject(spec) ? literalOf(spec) : undefined
  let node: ts.Node = literal ?? fallback
  let value: Value = spec
  for (const name of path) {
    const property = literal?.properties.find((candidate) => candidate.name && propertyText(candidate.name) === name)
    if (!property) return node
    node = property
    const content = isObject(value) ? value.properties.get(name) : undefined
    value = isObject(content as Value) ? (content as Value) : undefined
    literal = isObject(value) ? literalOf(value) : undefined
    if (!literal && ts.isPropertyAssignment(property)) {
      const inner = unwrap(property.initializer)
      literal = ts.isObjectLiteralExpression(inner) ? inner : undefined
    }
  }
  return node
}

const propertyText = (name: ts.PropertyName): string =>
  ts.isIdentifier(name) || ts.isStringLiteral(name) || ts.isNumericLiteral(name) ? name.text : name.getText()
