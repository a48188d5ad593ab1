import { byteSize, InvariantError, ModelProblem, type TensorType } from '../../../compiler/graph/index.ts'
import { currentTracer, isTensor, type Tracer, withTracer } from '../../tracer.ts'
import type { OnnxGraph, OnnxModel, OnnxNode } from '../model.ts'
import { createRecorder, type Recorder } from '../record/recorder.ts'
import { boundedResults, isBounded, type SizeList } from './bounded/index.ts'
import type { Known, OpRule, Value } from './context.ts'
import { type ControlSite, controlRule } from './control/index.ts'
import {
  constantFor,
  createScope,
  createWeightStore,
  type Entry,
  initializerEntry,
  knownEntry,
  materialize,
  type Scope,
  type WeightStore,
} from './environment.ts'
import { createConstancy, evaluateNodes, foldedBytes, isSmall, nodeBehind, type RunGraph, scratchTracer } from './fold.ts'
import { neededNodes } from './needed.ts'
import { createContext, type Site } from './opContext.ts'
import { noCounterpart, printable, Stop, type Unsupported } from './problem.ts'
import { remedyFor, ruleFor, staysUnfolded } from './rules/index.ts'
import { sequenceRule } from './sequences.ts'

/** An import of the nodes of one entry. */
export interface NodeImporter {
  readonly problems: Unsupported[]
  /** Nodes that were imported before the first that was not, those of bodies and branches included. */
  readonly reached: number
  importNodes(graph: OnnxGraph, scope: Scope): void
  tensorOf(entry: Entry): Value
}

/** Elements of intermediate tensors while something small is folded. */
const foldedWork = 1 << 20

/** Runs of bodies that are unrolled, those within others included. */
const mostBodies = 4096

export function createNodeImporter(
  model: OnnxModel,
  tracer: Tracer,
  recorder: Recorder,
  store: WeightStore,
  run: RunGraph,
  notes: Set<string>,
  limits: Readonly<Record<string, number>> = {},
): NodeImporter {
  const problems: Unsupported[] = []
  const isConstant = createConstancy()
  const evaluated = new Map<Value, Known | undefined>()
  const scratch = createRecorder()
  let bodies = 0
  let reached = 0

  const tensorOf = (entry: Entry): Value => {
    if (entry.kind === 'poisoned' || entry.kind === 'unusable') throw new Stop('a value before it cannot be imported', undefined)
    if (entry.kind === 'sequence' || entry.kind === 'nothing') throw new Stop('a tensor is needed where it has none', undefined)
    return entry.kind === 'tensor' ? entry.tensor : materialize(entry, recorder, store)
  }
  const typeOf = (entry: Entry): TensorType => {
    if (entry.kind === 'known') return entry.known.type
    if (entry.kind === 'tensor' && entry.list) return entry.list.type
    return nodeBehind(tracer, tensorOf(entry)).type
  }
  function knownElements(entry: Entry): Known | undefined {
    if (entry.kind !== 'tensor') return entry.kind === 'known' ? entry.known : undefined
    if (entry.list || isBounded(entry)) return undefined
    if (!evaluated.has(entry.tensor)) {
      const node = nodeBehind(tracer, entry.tensor)
      evaluated.set(entry.tensor, isConstant(node) ? evaluateNodes([node], run)?.[0] : undefined)
    }
    return evaluated.get(entry.tensor)
  }

  const opsetOf = (node: OnnxNode): number => node.opset ?? model.opsets.get(node.domain) ?? 1

  function report(node: OnnxNode, what: string, remedy?: string): void {
    const name = node.name || node.outputs.find((output) => output !== '') || node.op
    problems.push({ op: node.op, domain: node.domain, opset: opsetOf(node), node: name, what, remedy })
  }

  function importNodes(graph: OnnxGraph, scope: Scope): void {
    for (const [name, tensor] of graph.initializers) scope.set(name, initializerEntry(name, tensor))
    const { nodes, values } = neededNodes(graph)
    for (const node of nodes) {
      const results = importNode(node, scope, values)
      if (problems.length === 0) reached++
      for (const [i, output] of node.outputs.entries()) if (output !== '') scope.set(output, results?.[i] ?? { kind: 'poisoned' })
    }
  }

  /** Undefined where the node, or one before it, cannot be imported. */
  function importNode(node: OnnxNode, scope: Scope, values: ReadonlySet<string>): readonly (Entry | undefined)[] | undefined {
    const entries = node.inputs.map((name) => (name === '' ? undefined : scope.get(name)))
    const missing = node.inputs.find((name, i) => name !== '' && !entries[i])
    if (missing !== undefined) return void report(node, `it takes '${printable(missing, 80)}', which nothing makes`)
    if (entries.some((entry) => entry?.kind === 'poisoned')) {
      // What is wrong with its inputs has been told; that the operator has no counterpart is told now, not after those are mended.
      const isKnown = controlRule(node.domain, node.op) || sequenceRule(node, entries) || ruleFor(node.domain, node.op)
      return isKnown ? undefined : void report(node, noCounterpart, remedyFor(node.domain, node.op))
    }
    const unusable = entries.find((entry) => entry?.kind === 'unusable')
    if (unusable?.kind === 'unusable')
      return void report(node, `it takes a tensor of type ${unusable.type}, which is not supported`)
    try {
      return importSound(node, entries, scope, (i) => {
        const name = node.outputs[i]
        return name !== undefined && name !== '' && values.has(name)
      })
    } catch (problem) {
      if (problem instanceof Stop) return void report(node, problem.message, problem.remedy)
      if (problem instanceof ModelProblem) return void report(node, problem.message)
      throw new InvariantError(
        `importing ${node.op} '${printable(node.name || (node.outputs[0] ?? ''), 80)}' failed: ${problem}`,
        {
          cause: problem,
        },
      )
    }
  }

  function importSound(
    node: OnnxNode,
    entries: readonly (Entry | undefined)[],
    scope: Scope,
    wants: (i: number) => boolean,
  ): readonly (Entry | undefined)[] | undefined {
    const control = controlRule(node.domain, node.op)
    if (control) return withTracer(tracer, () => control(controlSite(node, entries, scope)))
    const sequences = sequenceRule(node, entries)
    const rule = ruleFor(node.domain, node.op)
    recorder.for(node.name || `${node.op} ${node.outputs[0] ?? ''}`)
    const site: Site = {
      node,
      opset: opsetOf(node),
      recorder,
      entry: (i) => entries[i],
      tensorOf,
      constantFor: (name, known) => constantFor(name, known, recorder, store),
      typeOf,
      isConstant: (entry) =>
        entry.kind === 'known' ||
        (entry.kind === 'tensor' && !entry.list && !isBounded(entry) && isConstant(nodeBehind(tracer, entry.tensor))),
      knownOf: knownElements,
      note: (what) => void notes.add(what),
      limit: (name) => (Object.hasOwn(limits, name) ? limits[name] : undefined),
      wants,
    }
    if (sequences && entries.some(isBounded)) throw new Stop('one of its tensors has a size that data decides', undefined)
    if (sequences)
      return withTracer(tracer, () =>
        sequences({
          node,
          context: createContext(site),
          entries,
          tensorOf,
          importBody: (body, inputs) => importBody(body, inputs, scope),
        }),
      )
    if (!rule) throw new Stop(noCounterpart, remedyFor(node.domain, node.op))
    const folded = fold(rule, site, entries)
    const results =
      folded ??
      withTracer(tracer, () => {
        const context = createContext(site)
        return listOf(boundedResults(context, entries, rule) ?? rule(context))
      })
    return node.outputs.map((name, i) => {
      const result = results[i]
      if (result) return entryFor(name, result, entries)
      if (wants(i)) throw new Stop(`its output ${i} '${printable(name, 80)}' is not supported`, undefined)
      return undefined
    })
  }

  /** The outputs of a body that is run with these values. */
  function importBody(body: OnnxGraph, inputs: readonly Entry[], scope: Scope): readonly (Entry | undefined)[] {
    if (++bodies > mostBodies) throw new Stop(`bodies are run more than ${mostBodies} times`, undefined)
    const inner = createScope(scope)
    for (const [i, { name }] of body.inputs.entries()) if (inputs[i]) inner.set(name, inputs[i])
    importNodes(body, inner)
    return body.outputs.map(({ name }) => inner.get(name))
  }

  /** The results of a node over small constants, computed. Undefined where it has other inputs, or must stay as it is. */
  function fold(rule: OpRule, site: Site, entries: readonly (Entry | undefined)[]): readonly (Known | undefined)[] | undefined {
    const given = entries.filter((entry) => entry !== undefined)
    const known = given.flatMap((entry) => (entry.kind === 'known' ? [entry.known] : []))
    if (given.length === 0 || known.length < given.length || staysUnfolded(site.node.domain, site.node.op)) return undefined
    if (known.reduce((sum, { type }) => sum + byteSize(type), 0) > foldedBytes) return undefined
    const inner = scratchTracer()
    const weights = createWeightStore()
    const make = (name: string, value: Known) => constantFor(name, value, scratch, weights)
    return withTracer(inner, () => {
      const results = listOf(
        rule(
          createContext({
            ...site,
            recorder: scratch,
            tensorOf: (entry) => make('constant', (entry as Extract<Entry, { kind: 'known' }>).known),
            constantFor: make,
          }),
        ),
      )
      const traced = results.flatMap((result) => (isTensor(result) ? [nodeBehind(inner, result)] : []))
      if (!isSmall(traced)) return undefined
      const values = evaluateNodes(traced, run, foldedWork)
      if (!values) return undefined
      let next = 0
      return results.map((result) => (isTensor(result) ? values[next++] : (result as Known | undefined)))
    })
  }

  function controlSite(node: OnnxNode, entries: readonly (Entry | undefined)[], scope: Scope): ControlSite {
    recorder.for(node.name || `${node.op} ${node.outputs[0] ?? ''}`)
    return {
      node,
      opset: opsetOf(node),
      entries,
      scope,
      d: recorder.d,
      tensorOf,
      knownOf: knownElements,
      note: (what) => void notes.add(what),
      limit(name, axis = 0) {
        if (Object.hasOwn(limits, name)) return limits[name]
        const declared = model.graph.outputs.find((output) => output.name === name)?.shape?.[axis]
        return typeof declared === 'number' ? declared : undefined
      },
      beside: (body, inputs) => importBody(body, inputs, scope),
      inside(body, inputs, inner) {
        const importer = createNodeImporter(model, currentTracer('import'), recorder, store, run, notes, limits)
        for (const [i, { name }] of body.inputs.entries()) if (inputs[i]) inner.set(name, inputs[i])
        importer.importNodes(body, inner)
        problems.push(...importer.problems)
        return body.outputs.map(({ name }) => {
          const entry = inner.get(name)
          if (entry?.kind !== 'tensor' && entry?.kind !== 'known')
            throw new Stop('something in its body cannot be imported', undefined)
          return importer.tensorOf(entry)
        })
      },
    }
  }

  return {
    problems,
    get reached() {
      return reached
    },
    importNodes,
    tensorOf,
  }
}

/** What a node gives through keeps the name under which it is known. */
function entryFor(name: string, result: Value | Known | SizeList, entries: readonly (Entry | undefined)[]): Entry {
  if ('sizes' in result)
    return {
      kind: 'tensor',
      list: result,
      get tensor() {
        return result.tensor
      },
    }
  if (!isTensor(result)) return knownEntry(name, result as Known)
  return entries.find((entry) => entry?.kind === 'known' && entry.tensor === result) ?? { kind: 'tensor', tensor: result }
}

type Results = ReturnType<OpRule> | SizeList
type Result = Value | Known | SizeList | undefined
const listOf = (results: Results): readonly Result[] => (Array.isArray(results) ? results : [results as Result])
